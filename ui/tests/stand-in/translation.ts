/** The stand-in's translation: the events of the contract at a human pace. */
import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";

import { type Part, parts, phrase } from "./phrases";
import { bodyOf, pause, sendJson } from "./web";
import type { World } from "./world";

/** Sends events until the client leaves. */
export class Stream {
  gone = false;
  private readonly response: ServerResponse;

  constructor(response: ServerResponse) {
    this.response = response;
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    response.on("close", () => (this.gone = true));
  }

  event(name: string, data: unknown): void {
    this.response.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  end(): void {
    this.response.end();
  }
}

/** `POST /translate/stream` */
export async function text(request: IncomingMessage, response: ServerResponse, world: World): Promise<void> {
  const wish = JSON.parse(await bodyOf(request)) as { q: string; source: string; target: string };
  world.asked.push(wish);
  const stream = new Stream(response);
  world.busy += 1;
  try {
    await woken(stream, world);
    const list = parts(wish.q);
    const detectedLanguage = wish.source === "auto" ? guess(wish.q) : null;
    stream.event("start", { job: randomUUID(), model: "gemma3n:e4b", detectedLanguage, segments: list });
    let whole = "";
    for (const part of list) {
      if (stream.gone) return;
      whole += part.before + (await segment(stream, part, wish.target, world)) + part.after;
      stream.event("progress", { done: part.index + 1, total: list.length, characters: whole.length });
    }
    stream.event("final", {
      translatedText: whole,
      detectedLanguage,
      marks: [],
      promptTokens: 96,
      outputTokens: 118,
    });
    stream.end();
  } finally {
    world.busy -= 1;
  }
}

async function segment(
  stream: Stream,
  { index, source }: Part,
  target: string,
  world: World,
): Promise<string> {
  const translated = phrase(source, target);
  for (const piece of translated.match(/[^\s]{1,4}|\s+/g) ?? []) {
    if (stream.gone) return translated;
    stream.event("delta", { index, text: piece });
    await pause(world.pace);
  }
  // The one sentence whose punctuation the stand-in drops, so that a mark can be seen.
  const marks = source !== translated && source.endsWith("pumps.") ? ["urls"] : [];
  stream.event("segment", { index, text: translated, marks });
  return translated;
}

/** A sleeping fleet: says so, counts down, wakes. */
export async function woken(stream: Stream, world: World): Promise<void> {
  if (world.phase === "asleep") {
    stream.event("wait", { state: "asleep", seconds: world.wakeSeconds });
    world.phase = "waking";
    await waited(stream, (world.wakeSeconds * 1000) / 2);
  }
  if (world.phase === "waking") {
    stream.event("wait", { state: "waking", seconds: world.wakeSeconds / 2 });
    await waited(stream, (world.wakeSeconds * 1000) / 2);
    world.phase = "awake";
  }
}

async function waited(stream: Stream, milliseconds: number): Promise<void> {
  for (let passed = 0; passed < milliseconds && !stream.gone; passed += 100) await pause(100);
}

/** `POST /translate_file`: the file's lines as segments; its text comes back under a headline. */
export async function file(
  request: IncomingMessage,
  response: ServerResponse,
  world: World,
  origin: string,
): Promise<void> {
  const body = await bodyOf(request);
  const name = /filename="([^"]*)"/.exec(body)?.[1] ?? "file.txt";
  const content = /filename="[^"]*"\r\n[^\r]*\r\n\r\n([\s\S]*?)\r\n--/.exec(body)?.[1] ?? "";
  if (content.includes("unreadable")) {
    sendJson(response, 415, { error: "this file is not what its name says" });
    return;
  }
  const stream = new Stream(response);
  await woken(stream, world);
  const list = parts(content);
  for (const { index } of list) {
    await pause(world.pace * 8);
    stream.event("progress", { done: index + 1, total: list.length, characters: 0 });
  }
  const id = randomUUID();
  world.files.set(id, { name, text: content });
  stream.event("final", { translatedFileUrl: `${origin}/download_file/${id}` });
  stream.end();
}

export function guess(q: string): { language: string; confidence: number } {
  if (/[\u3040-\u30ff\u4e00-\u9fff]/.test(q)) return { language: "ja", confidence: 97 };
  return { language: /\b(der|die|und|nicht)\b/.test(q) ? "de" : "en", confidence: 93 };
}
