/** Conversations with a model: what the gateway keeps of them, and what an answer tells while it is written. */
import { type Door, type Frame, type Parcel, ask, frames, send } from "./door";
import { Problem, problemOfEvent } from "./problem";
import { number, numberOrNull, object, objects, text } from "./read";

/** A conversation without its messages. Times are seconds since 1970. */
export interface Conversation {
  readonly id: string;
  /** Empty until somebody, or the model, gave it one. */
  readonly title: string;
  readonly model: string;
  /** What the model is told before everything else; lists leave it out. */
  readonly system: string;
  readonly created: number;
  readonly updated: number;
  /** Nothing is added to it until it is opened again. */
  readonly closed: boolean;
  readonly messages: number;
  readonly promptTokens: number;
  readonly outputTokens: number;
  readonly archived: boolean;
  /** Somebody is writing to it now; lists leave it out. */
  readonly busy: boolean;
}

export interface Message {
  /** Sixteen digits, growing: their order is the order of the messages. */
  readonly id: string;
  readonly role: "user" | "assistant";
  readonly content: string;
  readonly state: "whole" | "writing" | "stopped" | "broken";
  /** Seconds since 1970. */
  readonly at: number;
  readonly promptTokens: number;
  readonly outputTokens: number;
  /** How long it took; null: not known. */
  readonly seconds: number | null;
  /** Whole turns that no longer fitted the model's window. */
  readonly turnsCut: number;
}

/** Some conversations, newest first, and where the next ones begin. */
export interface Page {
  readonly conversations: readonly Conversation[];
  readonly next: string | null;
}

/** A stretch of a conversation, oldest first, and where the one before it begins. */
export interface View {
  readonly conversation: Conversation;
  readonly messages: readonly Message[];
  readonly earlier: string | null;
}

/** What one wants of a conversation. */
export type Wish =
  | {
      readonly kind: "say";
      readonly content: string;
      /** A message of one's own that this one replaces, with all that came after it. */
      readonly replaces: string | null;
    }
  | { readonly kind: "again" };

/** What an answer tells while it is written. `taken` comes first: from there on the gateway has the wish. */
export type Event =
  | { readonly kind: "taken" }
  | {
      readonly kind: "start";
      readonly user: Message | null;
      readonly answer: string;
      readonly turnsCut: number;
    }
  | { readonly kind: "wait"; readonly state: "queued" | "asleep" | "waking"; readonly seconds: number | null }
  | { readonly kind: "delta"; readonly text: string }
  | { readonly kind: "message"; readonly message: Message; readonly conversation: Conversation }
  /** The end too; `message` is what was kept. */
  | { readonly kind: "error"; readonly problem: Problem; readonly message: Message | null };

/** Conversations that one page of the list holds. */
export const PAGE = 50;

/** Messages that one view brings. */
export const VIEW = 50;

/** Newest first; `before` is the `next` of the page before. */
export async function list(
  door: Door,
  search: string,
  before: string | null,
  signal?: AbortSignal,
): Promise<Page> {
  const query = new URLSearchParams({ limit: String(PAGE) });
  if (search !== "") query.set("search", search);
  if (before !== null) query.set("before", before);
  const fields = object(await ask(door, `/conversations?${query.toString()}`, { signal }));
  return {
    conversations: objects(fields.conversations).map(conversationOf),
    next: typeof fields.next === "string" ? fields.next : null,
  };
}

export async function create(door: Door, model: string, system: string): Promise<Conversation> {
  const json = { model, ...(system === "" ? {} : { system }) };
  return conversationOf(await ask(door, "/conversations", { method: "POST", json }));
}

/** The newest messages, or those before one. */
export async function view(
  door: Door,
  id: string,
  before: string | null,
  signal?: AbortSignal,
): Promise<View> {
  const query = new URLSearchParams({ limit: String(VIEW) });
  if (before !== null) query.set("before", before);
  const fields = object(await of(id, path => ask(door, `${path}?${query.toString()}`, { signal })));
  return {
    conversation: conversationOf(fields.conversation),
    messages: objects(fields.messages).map(messageOf),
    earlier: typeof fields.earlier === "string" ? fields.earlier : null,
  };
}

/** What can be changed of a conversation. */
export interface Change {
  readonly title?: string;
  readonly system?: string;
  readonly closed?: boolean;
}

export async function change(door: Door, id: string, json: Change): Promise<Conversation> {
  return conversationOf(await of(id, path => ask(door, path, { method: "PATCH", json })));
}

/** Deletes it everywhere, the archive too. */
export const remove = (door: Door, id: string) => of(id, path => send(door, path, { method: "DELETE" }));

/** Ends the answer that is being written, wherever it was asked for; false: none is. */
export async function stop(door: Door, id: string): Promise<boolean> {
  const said = object(await of(id, path => ask(door, `${path}/stop`, { method: "POST" })));
  return said.stopping === true;
}

/** All of one's conversations as one JSON file. */
export async function exported(door: Door): Promise<Blob> {
  return (await send(door, "/conversations/export")).blob();
}

/**
 * Writes to a conversation. Ends after `message` or `error`. Thrown before `taken`: the gateway did not take the wish;
 * after it: the connection broke, and the answer goes on without us.
 */
export async function* write(
  door: Door,
  id: string,
  wish: Wish,
  signal: AbortSignal,
): AsyncGenerator<Event, void> {
  const parcel: Parcel = { method: "POST", accept: "text/event-stream", json: bodyOf(wish), signal };
  const answer = await of(id, path => send(door, `${path}/messages`, parcel));
  yield { kind: "taken" };
  if (answer.body === null) throw new Problem("cut");
  for await (const frame of frames(answer.body)) {
    const event = eventOf(frame);
    if (event === null) continue;
    yield event;
    if (event.kind === "message" || event.kind === "error") return;
  }
  throw new Problem("cut");
}

function bodyOf(wish: Wish): Record<string, unknown> {
  if (wish.kind === "again") return { regenerate: true };
  const { content, replaces } = wish;
  return replaces === null ? { content } : { content, replaces };
}

/** A frame as an event; null for one that this page does not know. */
export function eventOf({ name, data }: Frame): Event | null {
  const fields = object(data);
  switch (name) {
    case "start":
      return {
        kind: "start",
        user: messageOrNull(fields.user),
        answer: text(fields.answer),
        turnsCut: number(fields.turns_cut),
      };
    case "wait":
      return {
        kind: "wait",
        state: fields.state === "asleep" || fields.state === "waking" ? fields.state : "queued",
        seconds: numberOrNull(fields.seconds),
      };
    case "delta":
      return { kind: "delta", text: text(fields.text) };
    case "message":
      return {
        kind: "message",
        message: messageOf(object(fields.message)),
        conversation: conversationOf(fields.conversation),
      };
    case "error":
      return {
        kind: "error",
        problem: problemOfEvent(text(fields.code), text(fields.error), numberOrNull(fields.retryAfter)),
        message: messageOrNull(fields.message),
      };
    default:
      return null;
  }
}

export function conversationOf(value: unknown): Conversation {
  const fields = object(value);
  return {
    id: text(fields.id),
    title: text(fields.title),
    model: text(fields.model),
    system: text(fields.system),
    created: number(fields.created),
    updated: number(fields.updated),
    closed: fields.closed === true,
    messages: number(fields.messages),
    promptTokens: number(fields.prompt_tokens),
    outputTokens: number(fields.output_tokens),
    archived: fields.archived === true,
    busy: fields.busy === true,
  };
}

const STATES: readonly Message["state"][] = ["whole", "writing", "stopped", "broken"];

export function messageOf(fields: Readonly<Record<string, unknown>>): Message {
  return {
    id: text(fields.id),
    role: fields.role === "user" ? "user" : "assistant",
    content: text(fields.content),
    state: STATES.find(state => state === fields.state) ?? "whole",
    at: number(fields.at),
    promptTokens: number(fields.prompt_tokens),
    outputTokens: number(fields.output_tokens),
    seconds: numberOrNull(fields.seconds),
    turnsCut: number(fields.turns_cut),
  };
}

function messageOrNull(value: unknown): Message | null {
  return typeof value === "object" && value !== null ? messageOf(object(value)) : null;
}

/** A call about one conversation: what is not there is the conversation, not the route. */
async function of<T>(id: string, call: (path: string) => Promise<T>): Promise<T> {
  try {
    return await call(`/conversations/${encodeURIComponent(id)}`);
  } catch (error) {
    throw error instanceof Problem && error.kind === "missing" ? new Problem("gone", error) : error;
  }
}

/** A model one may talk to. */
export interface ChatModel {
  readonly name: string;
  /** Answers at once, without being loaded first. */
  readonly inMemory: boolean;
}

/** Does a model write text? An Ollama that does not say so itself is judged by the family. */
function talks(model: Readonly<Record<string, unknown>>): boolean {
  return Array.isArray(model.capabilities)
    ? model.capabilities.includes("completion")
    : !/bert/i.test(text(object(model.details).family));
}

/** The models one may use, those in memory first. Models that only embed are left out. */
export async function chatModels(door: Door, signal?: AbortSignal): Promise<readonly ChatModel[]> {
  const [there, loaded] = await Promise.all([
    ask(door, "/api/tags", { signal }),
    // Which of them are in memory is worth knowing, and no reason to fail.
    ask(door, "/api/ps", { signal }).catch(() => null),
  ]);
  const inMemory = new Set(objects(object(loaded).models).map(model => text(model.name)));
  return objects(object(there).models)
    .filter(talks)
    .map(model => ({ name: text(model.name), inMemory: inMemory.has(text(model.name)) }))
    .sort((a, b) => Number(b.inMemory) - Number(a.inMemory) || a.name.localeCompare(b.name));
}
