/** The translation API: what the page asks and the events it hears back. */
import { type Door, type Frame, ask, send, stream } from "./door";
import { Problem, problemOfEvent } from "./problem";
import { number, numberOrNull, object, objects, text, texts } from "./read";

export type Tone = "neutral" | "formal" | "informal";
export const tones: readonly Tone[] = ["neutral", "formal", "informal"];

/** One row of a glossary. */
export interface Term {
  readonly source: string;
  readonly target: string;
}

/** A text to translate. */
export interface Ask {
  readonly q: string;
  /** A code, or `auto`. */
  readonly source: string;
  readonly target: string;
  readonly tone: Tone;
  readonly glossary: readonly Term[];
}

/** A guess of the language, with 0 to 100. */
export interface Detected {
  readonly language: string;
  readonly confidence: number;
}

/** One part of the text. All `before + source + after` joined are the text itself. */
export interface Part {
  readonly index: number;
  readonly source: string;
  readonly before: string;
  readonly after: string;
}

/** What a translation tells while it runs. */
export type Event =
  | { readonly kind: "start"; readonly detected: Detected | null; readonly parts: readonly Part[] }
  | { readonly kind: "delta"; readonly index: number; readonly text: string }
  | { readonly kind: "reset"; readonly index: number }
  | {
      readonly kind: "segment";
      readonly index: number;
      readonly text: string;
      readonly marks: readonly string[];
    }
  | { readonly kind: "progress"; readonly done: number; readonly total: number }
  | { readonly kind: "wait"; readonly state: Waiting; readonly seconds: number | null }
  | {
      readonly kind: "final";
      readonly text: string;
      readonly promptTokens: number;
      readonly outputTokens: number;
    };

/** Why nothing happens yet. */
export type Waiting = "queued" | "asleep" | "waking";

/** Translates a text. Ends after `final`; everything else that ends it is thrown as a `Problem`. */
export async function* translate(door: Door, wish: Ask, signal: AbortSignal): AsyncGenerator<Event, void> {
  const json = { ...wish, format: "text" };
  for await (const frame of stream(door, "/translate/stream", { json, signal })) {
    const event = eventOf(frame);
    if (event === null) continue;
    yield event;
    if (event.kind === "final") return;
  }
  throw new Problem("cut");
}

/** A frame as an event; null for one that this page does not know. Throws the problem of an `error` frame. */
export function eventOf({ name, data }: Frame): Event | null {
  const fields = object(data);
  const index = number(fields.index);
  switch (name) {
    case "start":
      return {
        kind: "start",
        detected: detectedOf(fields.detectedLanguage),
        parts: objects(fields.segments).map(partOf),
      };
    case "delta":
      return { kind: "delta", index, text: text(fields.text) };
    case "reset":
      return { kind: "reset", index };
    case "segment":
      return { kind: "segment", index, text: text(fields.text), marks: texts(fields.marks) };
    case "progress":
      return { kind: "progress", done: number(fields.done), total: number(fields.total) };
    case "wait":
      return { kind: "wait", state: waitingOf(fields.state), seconds: numberOrNull(fields.seconds) };
    case "final":
      return {
        kind: "final",
        text: text(fields.translatedText),
        promptTokens: number(fields.promptTokens),
        outputTokens: number(fields.outputTokens),
      };
    case "error":
      throw problemOfEvent(text(fields.code), text(fields.error), numberOrNull(fields.retryAfter));
    default:
      return null;
  }
}

function partOf(fields: Readonly<Record<string, unknown>>): Part {
  const { index, source, before, after } = fields;
  return { index: number(index), source: text(source), before: text(before), after: text(after) };
}

function detectedOf(value: unknown): Detected | null {
  const { language, confidence } = object(value);
  return typeof language === "string" ? { language, confidence: number(confidence) } : null;
}

function waitingOf(value: unknown): Waiting {
  return value === "asleep" || value === "waking" ? value : "queued";
}

/** The most likely language of a text; null if the service cannot tell. */
export async function detect(door: Door, q: string, signal: AbortSignal): Promise<Detected | null> {
  const answer = await ask(door, "/detect", { method: "POST", json: { q }, signal });
  return detectedOf(objects(answer)[0] ?? null);
}

/** A language of the service, and into which it translates from there. */
export interface Language {
  readonly code: string;
  readonly name: string;
  readonly targets: readonly string[];
}

export async function languages(door: Door): Promise<readonly Language[]> {
  const rows = objects(await ask(door, "/languages"));
  return rows.map(row => ({
    code: text(row.code),
    name: text(row.name),
    targets: texts(row.targets),
  }));
}

/** What the service says about its limits. */
export interface Settings {
  /** Characters of one text; null: it names no limit. */
  readonly characters: number | null;
  /** Endings of files, with their dot. */
  readonly kinds: readonly string[];
  /** Bytes of one file; null: it names no limit. */
  readonly fileBytes: number | null;
}

export async function settings(door: Door): Promise<Settings> {
  const fields = object(await ask(door, "/frontend/settings"));
  const limit = numberOrNull(fields.charLimit);
  return {
    characters: limit !== null && limit > 0 ? limit : null,
    kinds: texts(fields.supportedFilesFormat),
    fileBytes: numberOrNull(fields.fileBytes),
  };
}

/** What the translation of a file tells. */
export type FileEvent =
  Extract<Event, { kind: "progress" | "wait" }> | { readonly kind: "ready"; readonly address: string };

/** Translates a file. Ends after `ready`. */
export async function* translateFile(
  door: Door,
  file: File,
  pair: Pick<Ask, "source" | "target">,
  signal: AbortSignal,
): AsyncGenerator<FileEvent, void> {
  const form = new FormData();
  form.set("file", file);
  form.set("source", pair.source);
  form.set("target", pair.target);
  for await (const frame of stream(door, "/translate_file", { form, signal })) {
    if (frame.name === "final") {
      yield { kind: "ready", address: text(object(frame.data).translatedFileUrl) };
      return;
    }
    const event = eventOf(frame);
    if (event?.kind === "progress" || event?.kind === "wait") yield event;
  }
  throw new Problem("cut");
}

/**
 * Fetches a translated file. Only the path of its address counts: a token never goes anywhere but to the API's own
 * origin, whatever an answer says.
 */
export async function download(door: Door, address: string): Promise<Blob> {
  const path = new URL(address, "https://any.invalid").pathname;
  return (await send(door, path, { accept: "*/*" })).blob();
}
