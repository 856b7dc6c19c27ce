// What an ordinary user gets: chat, text, embeddings and lists, streamed and whole, by every client.
import { equal, deepEqual, ok } from "node:assert/strict";
import { CHAT, DENIED, EMBED, GREETING, USER, byXApiKey, ofAnthropic, ofOllama, ofOpenAI } from "./clients.js";
import { all, promise } from "./promises.js";

const FEW = 6;
/** Numbers in a vector, where the Ollama is the simulated one. */
const DIMENSIONS = 768;

const ollama = ofOllama();
const openai = ofOpenAI();
const anthropic = ofAnthropic();

const chat = { model: CHAT, messages: GREETING, options: { num_predict: FEW } };
const text = { model: CHAT, prompt: "Good morning", options: { num_predict: FEW } };
const completion = { model: CHAT, messages: GREETING, max_tokens: FEW };
const response = { model: CHAT, input: "Good morning", max_output_tokens: FEW };

/** The user may use two of the demo's three models. */
function showsTheirs(names) {
  const bare = names.map((name) => name.replace(/:latest$/, ""));
  deepEqual([CHAT, EMBED, DENIED].map((name) => bare.includes(name)), [true, true, false]);
}

promise("ollama-js: a chat comes whole, with its counts", async () => {
  const answer = await ollama.chat(chat);
  ok(answer.message.content && answer.done);
  deepEqual([answer.done_reason, answer.eval_count], ["length", FEW]);
});

promise("ollama-js: a streamed chat says the same in parts, and ends with done", async () => {
  const parts = await all(ollama.chat({ ...chat, stream: true }));
  const whole = await ollama.chat(chat);
  equal(parts.map((part) => part.message.content).join(""), whole.message.content);
  equal(parts.findIndex((part) => part.done), parts.length - 1);
  ok(parts.length > 3, `only ${parts.length} parts`);
});

promise("ollama-js: text is generated whole and streamed, alike", async () => {
  const parts = await all(ollama.generate({ ...text, stream: true }));
  equal(parts.map((part) => part.response).join(""), (await ollama.generate(text)).response);
});

promise("ollama-js: texts become vectors, by embed and by the older embeddings", async () => {
  const { embeddings } = await ollama.embed({ model: EMBED, input: ["one", "two"] });
  deepEqual(embeddings.map((vector) => vector.length), [DIMENSIONS, DIMENSIONS]);
  equal((await ollama.embeddings({ model: EMBED, prompt: "one" })).embedding.length, DIMENSIONS);
});

promise("ollama-js: the list shows what the user may use and hides what not", async () => {
  showsTheirs((await ollama.list()).models.map((model) => model.name));
});

promise("ollama-js: ps shows the model in memory", async () => {
  ok((await ollama.ps()).models.some((model) => model.name === CHAT));
});

promise("ollama-js: show tells what a model can do, without paths of the server", async () => {
  const shown = await ollama.show({ model: CHAT });
  ok(shown.capabilities.includes("completion"));
  ok(!shown.modelfile.includes("/models/"), shown.modelfile);
});

promise("ollama-js: version is told", async () => {
  ok(/^\d+\.\d+/.test((await ollama.version()).version));
});

promise("openai-node: models are listed and retrieved", async () => {
  showsTheirs((await all(openai.models.list())).map((model) => model.id));
  equal((await openai.models.retrieve(CHAT)).id, CHAT);
});

promise("openai-node: a chat completion comes whole, with its usage", async () => {
  const answer = await openai.chat.completions.create(completion);
  const [choice] = answer.choices;
  ok(choice.message.content);
  deepEqual([choice.finish_reason, answer.usage.completion_tokens], ["length", FEW]);
});

promise("openai-node: a streamed chat completion shows no usage where none was asked for", async () => {
  const chunks = await all(openai.chat.completions.create({ ...completion, stream: true }));
  ok(chunks.every((chunk) => chunk.choices.length === 1 && !chunk.usage));
  equal(chunks.at(-1).choices[0].finish_reason, "length");
});

promise("openai-node: a streamed chat completion ends with its usage where that was asked for", async () => {
  const asked = { ...completion, stream: true, stream_options: { include_usage: true } };
  const last = (await all(openai.chat.completions.create(asked))).at(-1);
  deepEqual([last.choices, last.usage.completion_tokens], [[], FEW]);
});

promise("openai-node: completions come whole and streamed, alike and without unasked usage", async () => {
  const asked = { model: CHAT, prompt: "Good morning", max_tokens: FEW };
  const whole = await openai.completions.create(asked);
  const chunks = await all(openai.completions.create({ ...asked, stream: true }));
  equal(chunks.map((chunk) => chunk.choices[0].text).join(""), whole.choices[0].text);
  ok(chunks.every((chunk) => !chunk.usage));
});

promise("openai-node: embeddings of one text and of several, as numbers and as base64", async () => {
  const embed = async (input, more) =>
    (await openai.embeddings.create({ model: EMBED, input, ...more })).data.map((item) => item.embedding);
  equal((await embed("one"))[0].length, DIMENSIONS);
  const vectors = await embed(["one", "two"], { encoding_format: "float" });
  deepEqual(vectors.map((vector) => vector.length), [DIMENSIONS, DIMENSIONS]);
  equal(typeof (await embed("one", { encoding_format: "base64" }))[0], "string");
});

promise("openai-node: a response comes whole", async () => {
  const answer = await openai.responses.create(response);
  ok(answer.output_text);
  equal(answer.usage.output_tokens, FEW);
});

promise("openai-node: a streamed response runs from created to completed", async () => {
  const events = await all(openai.responses.create({ ...response, stream: true }));
  deepEqual([events[0].type, events.at(-1).type], ["response.created", "response.completed"]);
  const deltas = events.filter((event) => event.type === "response.output_text.delta");
  const [item] = events.at(-1).response.output;
  equal(deltas.map((event) => event.delta).join(""), item.content[0].text);
});

promise("anthropic-node: a message comes whole, by its apiKey", async () => {
  const answer = await anthropic.messages.create(completion);
  ok(answer.content[0].text);
  deepEqual([answer.stop_reason, answer.usage.output_tokens], ["max_tokens", FEW]);
});

promise("anthropic-node: a message comes the same by x-api-key", async () => {
  const answer = await byXApiKey(USER).messages.create(completion);
  equal(answer.stop_reason, "max_tokens");
});

promise("anthropic-node: a streamed message says the same in parts, and stops", async () => {
  const events = await all(anthropic.messages.create({ ...completion, stream: true }));
  deepEqual([events[0].type, events.at(-1).type], ["message_start", "message_stop"]);
  const whole = await anthropic.messages.create(completion);
  equal(await anthropic.messages.stream(completion).finalText(), whole.content[0].text);
});
