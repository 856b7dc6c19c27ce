/** The fleet as the gateway shows it: for everybody its state, for operators its nodes, models, keys and people. */
import { type Door, ask, send } from "./door";
import { Problem } from "./problem";
import { number, numberOrNull, object, objects, text, texts } from "./read";

export type Phase = "awake" | "asleep" | "waking" | "fallingAsleep" | "broken" | "unknown";

/** A machine. */
export interface NodeLine {
  /** Only for operators. */
  readonly name: string | null;
  readonly state: string;
  readonly slots: number;
  readonly busy: number;
  readonly queued: number;
  readonly models: readonly string[];
}

/** How far a node is with a model that the fleet should have. */
export interface Progress {
  readonly node: string;
  readonly state: string;
  readonly completed: number;
  readonly total: number;
}

export interface Fleet {
  readonly phase: Phase;
  readonly since: number;
  readonly reason: string;
  readonly expectedWait: number;
  readonly ready: number;
  readonly nodes: readonly NodeLine[];
  readonly slots: number;
  readonly busy: number;
  readonly queued: number;
  readonly oldestWait: number;
  /** Models on their way, by name. */
  readonly wanted: readonly { readonly name: string; readonly progress: readonly Progress[] }[];
}

const PHASES: Readonly<Record<string, Phase>> = {
  awake: "awake",
  asleep: "asleep",
  waking: "waking",
  falling_asleep: "fallingAsleep",
  "falling-asleep": "fallingAsleep",
  fallingasleep: "fallingAsleep",
  broken: "broken",
};

/** `GET /fleet`. */
export async function fleet(door: Door, signal?: AbortSignal): Promise<Fleet> {
  return fleetOf(await ask(door, "/fleet", { signal }));
}

export function fleetOf(value: unknown): Fleet {
  const fields = object(value);
  return {
    phase: PHASES[text(fields.state).toLowerCase()] ?? "unknown",
    since: number(fields.since),
    reason: text(fields.reason),
    expectedWait: number(fields.expected_wait_seconds),
    ready: number(object(fields.node_counts).ready),
    nodes: objects(fields.nodes).map(nodeOf),
    slots: number(fields.slots),
    busy: number(fields.busy),
    queued: number(fields.queued),
    oldestWait: number(fields.oldest_wait_seconds),
    wanted: objects(fields.models).map(model => ({
      name: text(model.name),
      progress: progressOf(model.progress),
    })),
  };
}

function nodeOf(fields: Readonly<Record<string, unknown>>): NodeLine {
  return {
    name: typeof fields.name === "string" ? fields.name : null,
    state: text(fields.state),
    slots: number(fields.slots),
    busy: number(fields.busy),
    queued: number(fields.queued),
    models: texts(fields.models),
  };
}

/** By node: an object with the nodes as keys, or a list that names them. */
function progressOf(value: unknown): readonly Progress[] {
  const rows = Array.isArray(value)
    ? objects(value).map(row => [text(row.node), row] as const)
    : Object.entries(object(value)).map(([node, row]) => [node, object(row)] as const);
  return rows.map(([node, row]) => ({
    node,
    state: text(row.state),
    completed: number(row.completed),
    total: number(row.total),
  }));
}

export const wake = (door: Door) => send(door, "/fleet/wake", { method: "POST" });
export const sleep = (door: Door) => send(door, "/fleet/sleep", { method: "POST" });
export const hold = (door: Door, nodes: number, seconds: number) =>
  send(door, "/fleet/hold", { method: "POST", json: { nodes, seconds } });

/** One moment of the fleet's past. */
export interface Point {
  readonly at: number;
  readonly ready: number;
  readonly busy: number;
  readonly queued: number;
  readonly wait: number;
  readonly tokens: number;
  readonly errors: number;
}

export async function history(door: Door): Promise<readonly Point[]> {
  return objects(object(await ask(door, "/fleet/history")).points).map(point => ({
    at: number(point.at),
    ready: number(point.ready),
    busy: number(point.busy),
    queued: number(point.queued),
    wait: number(point.wait_seconds),
    tokens: number(point.tokens_per_second),
    errors: number(point.errors),
  }));
}

/** A model on the disks of the fleet. */
export interface Model {
  readonly name: string;
  readonly bytes: number;
  /** As the API writes it, or empty. */
  readonly modified: string;
}

export async function models(door: Door): Promise<readonly Model[]> {
  return objects(object(await ask(door, "/api/tags")).models).map(model => ({
    name: text(model.name),
    bytes: number(model.size),
    modified: text(model.modified_at),
  }));
}

/** How far a pull is. */
export interface PullLine {
  readonly status: string;
  readonly completed: number;
  readonly total: number;
}

/** Adds a model; tells its progress line by line (`application/x-ndjson`). */
export async function* pull(door: Door, model: string): AsyncGenerator<PullLine, void> {
  const answer = await send(door, "/api/pull", { method: "POST", json: { model, stream: true } });
  if (answer.body === null) return;
  let rest = "";
  const decoder = new TextDecoder();
  const lines = function* (chunk: string) {
    const parts = (rest + chunk).split("\n");
    rest = parts.pop() ?? "";
    for (const part of parts) if (part.trim() !== "") yield pullLineOf(part);
  };
  for await (const bytes of answer.body) yield* lines(decoder.decode(bytes, { stream: true }));
  yield* lines(`${decoder.decode()}\n`);
}

function pullLineOf(line: string): PullLine {
  let fields;
  try {
    fields = object(JSON.parse(line));
  } catch {
    throw new Problem("cut");
  }
  if (typeof fields.error === "string") throw new Problem("model", { said: fields.error });
  return {
    status: text(fields.status),
    completed: number(fields.completed),
    total: number(fields.total),
  };
}

export const removeModel = (door: Door, model: string) =>
  send(door, "/api/delete", { method: "DELETE", json: { model } });

/** An API key, without the key. */
export interface Key {
  readonly id: string;
  readonly owner: string;
  /** Whose requests they are that come with it; null: its own. */
  readonly actsAs: string | null;
  readonly roles: readonly string[];
  readonly created: number;
  /** Null: never. */
  readonly expires: number | null;
  readonly disabled: boolean;
}

export async function keys(door: Door): Promise<readonly Key[]> {
  return objects(object(await ask(door, "/fleet/keys")).keys).map(key => ({
    id: text(key.id),
    owner: text(key.owner),
    actsAs: text(key.acts_as) || null,
    roles: texts(key.roles),
    created: number(key.created),
    expires: numberOrNull(key.expires),
    disabled: key.disabled === true,
  }));
}

/** Creates a key and gives it: the only time that anybody sees it. */
export async function createKey(
  door: Door,
  owner: string,
  roles: readonly string[],
  seconds: number,
): Promise<string> {
  const json = { owner, roles, expires_seconds: seconds };
  return text(object(await ask(door, "/fleet/keys", { method: "POST", json })).key);
}

export const revokeKey = (door: Door, id: string) =>
  send(door, "/fleet/keys", { method: "DELETE", json: { id } });

/** One day of one caller. */
export interface Day {
  readonly day: string;
  readonly requests: number;
  readonly prompt: number;
  readonly output: number;
  readonly gpu: number;
}

export interface Person {
  readonly principal: string;
  readonly days: readonly Day[];
}

export async function usage(door: Door): Promise<readonly Person[]> {
  return objects(object(await ask(door, "/fleet/usage")).people).map(person => ({
    principal: text(person.principal),
    days: objects(person.days).map(day => ({
      day: text(day.day),
      requests: number(day.requests),
      prompt: number(day.prompt_tokens),
      output: number(day.output_tokens),
      gpu: number(day.gpu_seconds),
    })),
  }));
}

/** Somebody who is shut out. */
export interface Denial {
  readonly principal: string;
  readonly reason: string;
  readonly since: number;
}

export async function denials(door: Door): Promise<readonly Denial[]> {
  return objects(object(await ask(door, "/fleet/denials")).denials).map(denial => ({
    principal: text(denial.principal),
    reason: text(denial.reason),
    since: number(denial.since),
  }));
}

export const deny = (door: Door, principal: string, reason: string) =>
  send(door, "/fleet/denials", { method: "POST", json: { principal, reason } });
export const allow = (door: Door, principal: string) =>
  send(door, "/fleet/denials", { method: "DELETE", json: { principal } });
