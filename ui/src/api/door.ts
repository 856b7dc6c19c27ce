/** The way to the gateway: calls that answer once, and calls that stream events. Every failure becomes a `Problem`. */
import { createParser, type EventSourceMessage } from "eventsource-parser";

import { Problem, isAbort, problemOf, problemOfAnswer } from "./problem";

/** What a call needs to know. */
export interface Door {
  /** Origin of the API; empty: the page's own. */
  readonly origin: string;
  /** The access token, or null when nobody is signed in. */
  readonly token: () => string | null;
  /** Told when the gateway no longer takes the token. */
  readonly expired: () => void;
}

/** What a call sends besides its path. */
export interface Parcel {
  readonly method?: "GET" | "POST" | "PATCH" | "DELETE";
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as `multipart/form-data`. */
  readonly form?: FormData;
  readonly accept?: string;
  readonly signal?: AbortSignal | undefined;
}

/** Sends and gives the answer, if it is a good one. */
export async function send(door: Door, path: string, parcel: Parcel = {}): Promise<Response> {
  const token = door.token();
  if (token === null) throw new Problem("expired");
  const headers: Record<string, string> = {
    authorization: `Bearer ${token}`,
    accept: parcel.accept ?? "application/json",
  };
  const init: RequestInit = {
    method: parcel.method ?? "GET",
    headers,
    credentials: "omit",
    cache: "no-store",
  };
  if (parcel.json !== undefined) {
    headers["content-type"] = "application/json";
    init.body = JSON.stringify(parcel.json);
  } else if (parcel.form !== undefined) {
    init.body = parcel.form;
  }
  if (parcel.signal !== undefined) init.signal = parcel.signal;
  const answer = await guarded(() => fetch(door.origin + path, init));
  if (answer.ok) return answer;
  const problem = problemOfAnswer(answer.status, answer.headers, await answer.text().catch(() => ""));
  if (problem.kind === "expired") door.expired();
  throw problem;
}

/** A call that answers one JSON value. */
export async function ask(door: Door, path: string, parcel: Parcel = {}): Promise<unknown> {
  const answer = await send(door, path, parcel);
  const text = await guarded(() => answer.text());
  try {
    return text === "" ? null : JSON.parse(text);
  } catch {
    throw new Problem("internal");
  }
}

/** One event of a stream: its name and its JSON. */
export interface Frame {
  readonly name: string;
  readonly data: unknown;
}

/** A call that streams events. */
export async function* stream(door: Door, path: string, parcel: Parcel): AsyncGenerator<Frame, void> {
  const answer = await send(door, path, { method: "POST", accept: "text/event-stream", ...parcel });
  if (answer.body === null) throw new Problem("cut");
  yield* frames(answer.body);
}

/**
 * Splits bytes into events, wherever the network cut them. Comments (keep-alive) vanish. What is no JSON ends the
 * stream with a problem; a break of the connection does too.
 */
export async function* frames(bytes: ReadableStream<Uint8Array>): AsyncGenerator<Frame, void> {
  const decoder = new TextDecoder();
  const waiting: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: event => waiting.push(event) });
  const reader = bytes.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((error: unknown) => {
        throw isAbort(error) ? error : new Problem("cut");
      });
      parser.feed(done ? decoder.decode() : decoder.decode(value, { stream: true }));
      for (const event of waiting.splice(0))
        yield { name: event.event ?? "message", data: parsed(event.data) };
      if (done) return;
    }
  } finally {
    // Whoever stops listening stops the work: the gateway sees the connection close.
    await reader.cancel().catch(() => undefined);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Problem("cut");
  }
}

async function guarded<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw isAbort(error) ? error : problemOf(error);
  }
}
