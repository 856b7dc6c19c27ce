/**
 * What administrators look at for others: people, their conversations, a search through them, the log of all of that, and
 * codes that link a person's account elsewhere. The gateway writes each of these calls into that log before it answers.
 */
import { type Page, type View, conversationOf, messageOf } from "./conversations";
import { type Door, ask } from "./door";
import { allow, deny } from "./fleet";
import { Problem } from "./problem";
import { number, numberOrNull, object, objects, text } from "./read";

/** Somebody, with the sums of their last 31 days. Times here and below are seconds since 1970. */
export interface Somebody {
  readonly principal: string;
  /** When they were last active; null: never in a conversation. */
  readonly seen: number | null;
  readonly denied: boolean;
  readonly requests: number;
  readonly prompt: number;
  readonly output: number;
  readonly gpu: number;
}

export interface Found {
  readonly principal: string;
  readonly id: string;
  readonly title: string;
  readonly message: string;
  readonly at: number;
  readonly excerpt: string;
}

export interface Finds {
  readonly found: readonly Found[];
  /** Was everything looked through? */
  readonly complete: boolean;
  /** Conversations looked through. */
  readonly lookedAt: number;
}

export interface Entry {
  readonly number: number;
  readonly at: number;
  readonly by: string;
  readonly action: string;
  readonly principal: string;
  readonly conversation: string;
  readonly detail: string;
}

export interface Log {
  /** The newest first. */
  readonly entries: readonly Entry[];
  readonly next: number | null;
  /** Does each entry fit the one before it? */
  readonly intact: boolean;
}

/**
 * Does what is written into the log first. The gateway answers 503 where it cannot write there, and then shows and changes
 * nothing: that is no queue of people, which 503 means elsewhere.
 */
async function recorded<T>(deed: () => Promise<T>): Promise<T> {
  try {
    return await deed();
  } catch (error) {
    if (error instanceof Problem && error.kind === "overloaded") throw new Problem("withheld", error);
    throw error;
  }
}

const post = (door: Door, path: string, json: object, method: "POST" | "DELETE" = "POST") =>
  recorded(async () => object(await ask(door, `/moderation/${path}`, { method, json })));

export async function people(door: Door): Promise<readonly Somebody[]> {
  return objects((await post(door, "people", {})).people).map(fields => ({
    principal: text(fields.principal),
    seen: numberOrNull(fields.seen),
    denied: fields.denied === true,
    requests: number(fields.requests),
    prompt: number(fields.prompt_tokens),
    output: number(fields.output_tokens),
    gpu: number(fields.gpu_seconds),
  }));
}

/** The newest first; `search` looks into titles, whatever the case. */
export async function conversations(
  door: Door,
  principal: string,
  search: string,
  before: string | null,
): Promise<Page> {
  const json = { principal, ...(search === "" ? {} : { search }), ...(before === null ? {} : { before }) };
  const fields = await post(door, "conversations", json);
  return {
    conversations: objects(fields.conversations).map(conversationOf),
    next: text(fields.next) || null,
  };
}

/** The latest messages, or those before one. */
export async function conversation(
  door: Door,
  principal: string,
  id: string,
  before: string | null,
): Promise<View> {
  const json = { principal, id, ...(before === null ? {} : { before }) };
  const fields = await one(() => post(door, "conversation", json));
  return {
    conversation: conversationOf(fields.conversation),
    messages: objects(fields.messages).map(messageOf),
    earlier: text(fields.earlier) || null,
  };
}

/** A call about one conversation: what is not there is the conversation, not the route. */
async function one<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw error instanceof Problem && error.kind === "missing" ? new Problem("gone", error) : error;
  }
}

/** The id that comes right after a message's: whoever asks for what is before it gets that message last. */
export const rightAfter = (message: string) =>
  /^\d{16}$/.test(message) ? String(BigInt(message) + 1n).padStart(16, "0") : null;

export const removeConversation = (door: Door, principal: string, id: string) =>
  one(() => post(door, "conversation", { principal, id }, "DELETE"));

/** Shortest and longest text to search for. */
export const SEARCH = { least: 3, most: 200 } as const;

/** An empty `principal` is everybody. */
export async function search(door: Door, words: string, principal: string): Promise<Finds> {
  const json = { text: words, ...(principal === "" ? {} : { principal }) };
  const fields = await post(door, "search", json);
  return {
    found: objects(fields.found).map(place => ({
      principal: text(place.principal),
      id: text(place.id),
      title: text(place.title),
      message: text(place.message),
      at: number(place.at),
      excerpt: text(place.excerpt),
    })),
    complete: fields.complete === true,
    lookedAt: number(fields.looked_at),
  };
}

/** Reading the log is the one look that is not written into it. */
export async function audit(door: Door, before: number | null): Promise<Log> {
  const fields = await post(door, "audit", before === null ? {} : { before });
  return {
    entries: objects(fields.entries).map(entry => ({
      number: number(entry.number),
      at: number(entry.at),
      by: text(entry.by),
      action: text(entry.action),
      principal: text(entry.principal),
      conversation: text(entry.conversation),
      detail: text(entry.detail),
    })),
    next: numberOrNull(fields.next),
    intact: fields.intact === true,
  };
}

export const shutOut = (door: Door, principal: string, reason: string) =>
  recorded(() => deny(door, principal, reason));
export const letIn = (door: Door, principal: string) => recorded(() => allow(door, principal));

/** A code that links an account elsewhere to a person: good once, until it expires. */
export interface LinkCode {
  readonly code: string;
  readonly expires: number;
}

export async function makeLinkCode(door: Door, principal: string): Promise<LinkCode> {
  const call = () => ask(door, "/fleet/links", { method: "POST", json: { principal } });
  const fields = object(await recorded(call));
  return { code: text(fields.code), expires: number(fields.expires) };
}
