// Long waits: one request holds the only slot, streams wait behind it, and no client sees the bytes in between.
import { equal, ok } from "node:assert/strict";
import { ADMIN, CHAT, GREETING, PATIENT_URL, URL, ofAnthropic, ofOllama, ofOpenAI } from "./clients.js";
import { all, promise } from "./promises.js";

const FEW = 6;
const prompt = "Good morning";
const options = { num_predict: FEW };
const asked = { model: CHAT, messages: GREETING, max_tokens: FEW, stream: true };
const joined = async (stream, text) => (await all(stream)).map(text).join("");

// What every client streams, as text, from a gateway.
const STREAMS = {
  "ollama-js: a chat": (url) =>
    joined(ofOllama(undefined, url).chat({ model: CHAT, messages: GREETING, options, stream: true }),
      (part) => part.message.content),
  "ollama-js: generated text": (url) =>
    joined(ofOllama(undefined, url).generate({ model: CHAT, prompt, options, stream: true }), (part) => part.response),
  "openai-node: a chat completion": (url) =>
    joined(ofOpenAI(undefined, url).chat.completions.create(asked), (chunk) => chunk.choices[0].delta.content ?? ""),
  "openai-node: a completion": (url) =>
    joined(ofOpenAI(undefined, url).completions.create({ model: CHAT, prompt, max_tokens: FEW, stream: true }),
      (chunk) => chunk.choices[0].text),
  "openai-node: a response": (url) =>
    joined(
      ofOpenAI(undefined, url).responses.create({ model: CHAT, input: prompt, max_output_tokens: FEW, stream: true }),
      (event) => (event.type === "response.output_text.delta" ? event.delta : ""),
    ),
  "anthropic-node: a message": (url) => ofAnthropic(undefined, url).messages.stream(asked).finalText(),
};

/** Every stream at once, behind one long answer that holds the only slot: a text and how long it took, or an error. */
async function waiting() {
  const long = { model: CHAT, messages: GREETING, options: { num_predict: 100 }, stream: true };
  const holder = (await ofOllama(ADMIN, PATIENT_URL).chat(long))[Symbol.asyncIterator]();
  await holder.next();
  const began = Date.now();
  const waits = Object.entries(STREAMS).map(async ([name, stream]) => {
    const outcome = await stream(PATIENT_URL).then((text) => ({ text }), (error) => ({ error }));
    return [name, { ...outcome, took: Date.now() - began }];
  });
  while (!(await holder.next()).done);
  return new Map(await Promise.all(waits));
}

let outcomes; // tried once, looked at by every promise

for (const [name, stream] of Object.entries(STREAMS)) {
  promise(`${name} that had to wait arrives unharmed`, async () => {
    outcomes ??= await waiting();
    const { text, error, took } = outcomes.get(name);
    if (error) throw error;
    ok(took > 1000, `it waited only ${took} ms`);
    equal(text, await stream(URL));
  });
}
