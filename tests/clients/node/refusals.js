// How each client shows each refusal: the class of its error, its status, and our own sentence, word for word.
import { equal, ok } from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import * as clients from "./clients.js";
import { CHAT, DENIED, EXPIRED, GREETING, LIMITED, LONELY_URL, PATIENT_URL, URL, bearer } from "./clients.js";
import { all, fails, promise } from "./promises.js";

const TOO_MUCH = "x".repeat(33 << 20); // the limit is 32 MiB

const NO_TOKEN = "a valid token or API key is needed: send `Authorization: Bearer <token>` or `x-api-key: <key>`";
const NO_MODEL = (name) =>
  `model '${name}' not found; the models you may use are listed by GET /api/tags and GET /v1/models`;
const NO_ROUTE = "there is no such route here; the Ollama, OpenAI and Anthropic routes are listed in the documentation";
const NO_SEARCH = "the server's own web search is not offered here; define a tool of your own";
const NO_UNLOAD = `only operators may unload ${CHAT}: it would leave everybody who uses it waiting`;
const NO_PULL = "only administrators may pull or delete models";
const TOO_LARGE = "the request body is over the limit of 33554432 bytes; send less, or smaller images";
const TOO_MANY = /^you have reached your requests per minute; try again in \d+ s$/;
const NO_OLLAMA = /^the model server is starting or restarting; try again in \d+ s$/;

// Each client: what it asks, and where its errors keep status and sentence.
const OLLAMA = {
  name: "ollama-js",
  of: clients.ofOllama,
  shown: (error) => [error.status_code, error.message],
  ask: (client, more) => client.chat({ model: CHAT, messages: GREETING, ...more }),
};
const OPENAI = {
  name: "openai-node",
  of: clients.ofOpenAI,
  shown: (error) => [error.status, error.error?.message],
  ask: (client, more) => client.chat.completions.create({ model: CHAT, messages: GREETING, ...more }),
};
const ANTHROPIC = {
  name: "anthropic-node",
  of: clients.ofAnthropic,
  shown: (error) => [error.status, error.error?.error?.message],
  ask: (client, more) => client.messages.create({ model: CHAT, messages: GREETING, max_tokens: 5, ...more }),
};

// Rows that every client has: when, [token, address], what is asked for, status, our sentence, the errors' classes.
const SHARED = [
  ["with an expired token", [EXPIRED], {}, 401, NO_TOKEN, "AuthenticationError"],
  ["streaming with an expired token", [EXPIRED], { stream: true }, 401, NO_TOKEN, "AuthenticationError"],
  ["asking for a model not theirs", [], { model: DENIED }, 404, NO_MODEL(DENIED), "NotFoundError"],
  ["asking for a model that is not", [], { model: "nobody:1b" }, 404, NO_MODEL("nobody:1b"), "NotFoundError"],
  ["sending 33 MiB", [], { messages: [{ role: "user", content: TOO_MUCH }] }, 413, TOO_LARGE, "APIError"],
  ["over the requests per minute", [LIMITED], {}, 429, TOO_MANY, "RateLimitError"],
  ["streaming over the requests per minute", [LIMITED], { stream: true }, 429, TOO_MANY, "RateLimitError"],
  ["while Ollama is away", [undefined, LONELY_URL], {}, 503, NO_OLLAMA, "InternalServerError"],
  ["streaming while Ollama is away", [undefined, LONELY_URL], { stream: true }, 503, NO_OLLAMA, "InternalServerError"],
];

// Rows of one client: who, when, [token, address], the call, status, our sentence, the error's class.
const OWN = [
  [OLLAMA, "without a token", [null], (c) => c.list(), 401, NO_TOKEN],
  [OPENAI, "without a token", [], (c) => c.get("/models", { headers: { Authorization: null } }), 401, NO_TOKEN,
    "AuthenticationError"],
  [OPENAI, "with a made-up key", ["sk-123"], OPENAI.ask, 401, NO_TOKEN, "AuthenticationError"],
  [ANTHROPIC, "with a made-up key", ["sk-123"], ANTHROPIC.ask, 401, NO_TOKEN, "AuthenticationError"],
  [ANTHROPIC, "without a key", [], () => ANTHROPIC.ask(clients.byXApiKey()), 401, NO_TOKEN, "AuthenticationError"],
  [ANTHROPIC, "with a made-up x-api-key", [], () => ANTHROPIC.ask(clients.byXApiKey("sk-123")), 401, NO_TOKEN,
    "AuthenticationError"],

  [OLLAMA, "pulling as a user", [], (c) => c.pull({ model: "tinyllama" }), 403, NO_PULL],
  [OLLAMA, "pulling with progress as a user", [], (c) => all(c.pull({ model: "tinyllama", stream: true })), 403,
    NO_PULL],
  [OLLAMA, "deleting as a user", [], (c) => c.delete({ model: CHAT }), 403, NO_PULL],
  [OLLAMA, "unloading as a user", [], (c) => c.generate({ model: CHAT, prompt: "", keep_alive: 0 }), 403, NO_UNLOAD],
  [OPENAI, "asking the server to search", [],
    (c) => c.responses.create({ model: CHAT, input: "news?", tools: [{ type: "web_search" }] }), 403, NO_SEARCH,
    "PermissionDeniedError"],
  [ANTHROPIC, "asking the server to search", [],
    (c) => ANTHROPIC.ask(c, { tools: [{ type: "web_search_20250305", name: "web_search" }] }), 403, NO_SEARCH,
    "PermissionDeniedError"],

  [OLLAMA, "looking at a model not theirs", [], (c) => c.show({ model: DENIED }), 404, NO_MODEL(DENIED)],
  [OLLAMA, "copying a model", [], (c) => c.copy({ source: CHAT, destination: "mine" }), 404, NO_ROUTE],
  [OPENAI, "retrieving a model not theirs", [], (c) => c.models.retrieve(DENIED), 404, NO_MODEL(DENIED),
    "NotFoundError"],
  [OPENAI, "asking for a picture", [], (c) => c.images.generate({ model: CHAT, prompt: "a cat" }), 404, NO_ROUTE,
    "NotFoundError"],
  [ANTHROPIC, "counting tokens", [], (c) => c.messages.countTokens({ model: CHAT, messages: GREETING }), 404, NO_ROUTE,
    "NotFoundError"],

  [OLLAMA, "giving an option of the wrong type", [], (c) => OLLAMA.ask(c, { options: { num_predict: "many" } }), 400,
    'option "num_predict" must be of type integer'],
  [OPENAI, "giving a limit of the wrong type", [], (c) => OPENAI.ask(c, { max_tokens: "many" }), 400,
    "`max_tokens` must be a whole number", "BadRequestError"],
  [ANTHROPIC, "giving no limit", [], (c) => ANTHROPIC.ask(c, { max_tokens: 0 }), 400,
    "`max_tokens` is required and must be positive", "BadRequestError"],
];

const MODULES = new Map([[OPENAI, OpenAI], [ANTHROPIC, Anthropic]]);

/** Spends the minute's requests until the next one is several seconds away. */
async function exhaust(token) {
  for (let tries = 0; tries < 60; tries += 1) {
    const answer = await fetch(`${URL}/api/tags`, { headers: bearer(token) });
    await answer.arrayBuffer();
    if (answer.status === 429 && Number(answer.headers.get("retry-after")) >= 8) return;
    if (answer.status === 429) await new Promise((wake) => setTimeout(wake, 500));
  }
  throw new Error("the limit was never reached");
}

function refuses(client, when, made, ask, status, sentence, kind) {
  // ollama-js does not export its one class of errors.
  promise(`${client.name}: ${when} is ${kind ?? "ResponseError"} ${status}, in our words`, async () => {
    if (status === 429) await exhaust(LIMITED);
    const error = await fails(() => ask(client.of(...made)));
    const expected = MODULES.get(client)?.[kind];
    ok(expected ? error instanceof expected : error.name === "ResponseError", `${error.name}: ${error.message}`);
    const [gotStatus, got] = client.shown(error);
    equal(gotStatus, status);
    if (sentence instanceof RegExp) ok(sentence.test(got), `got ${got}`);
    else equal(got, sentence);
    ok(error.message.includes(got) || error.message.includes(JSON.stringify(got)), `a person sees ${error.message}`);
    if (error.headers && [429, 503].includes(status)) {
      const wait = Number(error.headers.get("retry-after"));
      ok(wait >= 1 && wait <= 60, `Retry-After is ${wait}`);
    }
  });
}

for (const client of [OLLAMA, OPENAI, ANTHROPIC]) {
  for (const [when, made, asked, status, sentence, kind] of SHARED) {
    const own = client === OLLAMA ? undefined : kind;
    refuses(client, when, made, (c) => client.ask(c, asked), status, sentence, own);
  }
  for (const [, ...row] of OWN.filter(([owner]) => owner === client)) refuses(client, ...row);
}

promise("openai-node: its own retry obeys Retry-After and then succeeds", async () => {
  const statuses = [];
  const watched = async (...request) => {
    const answer = await fetch(...request);
    statuses.push(answer.status);
    return answer;
  };
  const hasty = clients.ofOpenAI(LIMITED, PATIENT_URL, { maxRetries: 2, fetch: watched });
  await hasty.models.list();
  const began = Date.now();
  await hasty.models.list();
  equal(statuses.slice(-2).join(" then "), "429 then 200");
  ok(Date.now() - began >= 1000, "it did not wait");
});
