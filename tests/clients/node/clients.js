// The official clients, unchanged: each gets the gateway's address and a token, no more. The demo's authority comes
// by NODE_EXTRA_CA_CERTS.
import { readFileSync } from "node:fs";
import Anthropic from "@anthropic-ai/sdk";
import { Ollama } from "ollama";
import OpenAI from "openai";

const demo = JSON.parse(readFileSync(process.env.DEMO_JSON, "utf8"));

export const URL = demo.url;
/** A second gateway: one slot, keep-alive bytes after a fifth of a second, a request a second for `limited`. */
export const PATIENT_URL = process.env.PATIENT_URL;
/** A third: its Ollama does not answer. */
export const LONELY_URL = process.env.LONELY_URL;

export const { user: USER, admin: ADMIN, limited: LIMITED, expired: EXPIRED } = demo.tokens;
export const { chat: CHAT, embed: EMBED, denied: DENIED } = demo.models;

export const GREETING = [{ role: "user", content: "Good morning" }];

export const bearer = (token) => ({ Authorization: `Bearer ${token}` });

/** The `ollama` client; it never retries. */
export const ofOllama = (token = USER, host = URL) => new Ollama({ host, headers: token ? bearer(token) : {} });

/** The `openai` client. */
export const ofOpenAI = (apiKey = USER, url = URL, more = {}) =>
  new OpenAI({ apiKey, baseURL: `${url}/v1`, maxRetries: 0, ...more });

/** The `@anthropic-ai/sdk` client; its `apiKey` goes as a Bearer token, where older ones sent `x-api-key`. */
export const ofAnthropic = (apiKey = USER, baseURL = URL, more = {}) =>
  new Anthropic({ apiKey, baseURL, maxRetries: 0, ...more });

/** The same as older ones are: `x-api-key` and no `Authorization`; without a token, neither. */
export const byXApiKey = (token) =>
  ofAnthropic("unused", URL, { defaultHeaders: { Authorization: null, ...(token && { "X-Api-Key": token }) } });
