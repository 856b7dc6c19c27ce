/** The stand-in's part for administrators: people, their conversations, a search, codes, and the log that each look is in. */
import type { ServerResponse } from "node:http";

import { listed, viewed } from "./talk";
import type { Kept, Said, Talks } from "./talk-store";
import { sendJson } from "./web";
import type { World } from "./world";

interface Entry {
  number: number;
  at: number;
  by: string;
  action: string;
  principal: string;
  conversation: string;
  detail: string;
}

export interface Oversight {
  /** The oldest first. */
  log: Entry[];
  /** Can the log be written? */
  writable: boolean;
  /** Has nobody changed the log from outside? */
  intact: boolean;
  /** Is searching in texts switched on, and how many conversations does a search get through? */
  search: { on: boolean; most: number };
}

const NOW = Math.floor(Date.now() / 1000);
export const TANAKA = "https://id.example/#tanaka";

/** A fixed id, so that pictures stay the same. */
const uuid = (number: number) => `5f0c2a7e-1b3d-4c5e-8f90-${String(number).padStart(12, "0")}`;
const messageId = (at: number, number: number) => String(at * 1_000_000 + number).padStart(16, "0");

/** A conversation of Tanaka's, a minute for each message. */
function talk(talks: Talks, number: number, said: readonly string[], more: Partial<Kept>): Kept {
  const began = NOW - number * 7200 - said.length * 60;
  return talks.make(TANAKA, {
    id: uuid(number),
    created: began,
    updated: began + said.length * 60,
    said: said.map((content, index): Said => {
      const at = began + index * 60;
      const base = { id: messageId(at, index), content, state: "whole", at } as const;
      return index % 2 === 0
        ? { ...base, role: "user" }
        : { ...base, role: "assistant", prompt_tokens: 210 + index * 40, output_tokens: 96, turns_cut: 0 };
    }),
    ...more,
  });
}

/** Sixty conversations of Tanaka's instead of all that there were; the first is the newest. */
export function tanakasTalks(talks: Talks): void {
  talks.clear();
  const valve = talk(
    talks,
    1,
    [
      "What torque does the manual give for the relief valve?",
      "The manual gives **24 Nm** for the relief valve, dry threads.\n\n1. Close the supply.\n2. Tighten to 24 Nm.\n3. Mark the nut.",
      "And with grease?",
      "With grease take about a fifth off: roughly 19 Nm. <b>Check</b> the data sheet",
    ],
    { title: "Torque of the relief valve", system: "Answer as a maintenance engineer." },
  );
  Object.assign(valve.said[3] ?? {}, { state: "stopped", turns_cut: 2 });
  const terms = Array.from({ length: 130 }, (_, index) =>
    index % 2 === 0 ? `Which term for part ${index / 2 + 1}?` : `Part ${(index + 1) / 2} is a gasket.`,
  );
  talk(talks, 2, terms, { title: "Terms of the new catalogue", archived: true, closed: true });
  for (let letter = 1; letter <= 58; letter += 1)
    talk(talks, letter + 2, ["Make it polite.", "Of course."], { title: `Draft of letter ${letter}` });
}

export function oversight(): Oversight {
  return {
    log: [
      { at: NOW - 9000, by: "https://id.example/#suzuki", action: "people", principal: "", detail: "" },
      { at: NOW - 8000, by: "https://id.example/#suzuki", action: "deny", principal: "key#old", detail: "" },
    ].map((entry, index) => ({ ...entry, number: index + 1, conversation: "" })),
    writable: true,
    intact: true,
    search: { on: true, most: 1000 },
  };
}

interface Fields {
  readonly principal?: string;
  readonly id?: string;
  readonly search?: string;
  readonly text?: string;
  readonly before?: string | number;
  readonly limit?: number;
}

/** Writes down who did what; false where that cannot be, and then nothing may be shown. */
function record(world: World, by: string, action: string, fields: Fields): boolean {
  const { log, writable } = world.oversight;
  if (!writable) return false;
  log.push({
    number: log.length + 1,
    at: Math.floor(Date.now() / 1000),
    by,
    action,
    principal: fields.principal ?? "",
    conversation: action === "view" || action === "delete" ? (fields.id ?? "") : "",
    detail: "",
  });
  return true;
}

/** What is written into the log, by route. */
const ACTIONS: Readonly<Record<string, string>> = {
  "POST /moderation/people": "people",
  "POST /moderation/conversations": "list",
  "POST /moderation/conversation": "view",
  "DELETE /moderation/conversation": "delete",
  "POST /moderation/search": "search",
  "POST /fleet/denials": "deny",
  "DELETE /fleet/denials": "allow",
  "POST /fleet/keys": "key",
  "DELETE /fleet/keys": "revoke",
  "POST /fleet/links": "link",
};

/** Writes a call down where it must be; answers it if it is one of these routes. True: it is answered. */
export function moderate(
  route: string,
  by: string,
  fields: Fields,
  response: ServerResponse,
  world: World,
): boolean {
  const action = ACTIONS[route];
  if (action !== undefined && !record(world, by, action, fields)) {
    sendJson(response, 503, { error: "the log cannot be written" }, { "retry-after": "5" });
    return true;
  }
  const answer = answerTo(route, fields, world);
  if (answer === null) return false;
  sendJson(response, answer.status, answer.body);
  return true;
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

const good = (body: unknown): Answer => ({ status: 200, body });

function answerTo(route: string, fields: Fields, world: World): Answer | null {
  const { log, intact } = world.oversight;
  const { talks } = world;
  const one = talks.find(fields.principal ?? "", fields.id ?? "");
  switch (route) {
    case "POST /moderation/people":
      return good({ people: people(world) });
    case "POST /moderation/conversations":
      return good(listed(world, fields.principal ?? "", queryOf(fields)));
    case "POST /moderation/conversation":
      return one === undefined ? NONE : good(viewed(one, queryOf(fields)));
    case "DELETE /moderation/conversation":
      if (one === undefined) return NONE;
      talks.all = talks.all.filter(other => other !== one);
      return good({ deleted: true });
    case "POST /moderation/search":
      return find(fields, talks.all, world.oversight.search);
    case "POST /moderation/audit": {
      const before = Number(fields.before ?? Infinity);
      const older = log.filter(({ number }) => number < before).reverse();
      const entries = older.slice(0, fields.limit ?? 50);
      return good({ entries, next: older.length > entries.length ? entries.at(-1)?.number : null, intact });
    }
    case "POST /fleet/links":
      return good({
        code: "K7QM-2XT9-ALWE-P3VN-8DR1-CYUZ-5HB",
        expires: Math.floor(Date.now() / 1000) + 3600,
      });
    default:
      return null;
  }
}

const NONE: Answer = { status: 404, body: { error: "there is no such conversation" } };

function people(world: World): unknown[] {
  const denied = (principal: string) => world.denials.some(denial => denial.principal === principal);
  const of = (principal: string, seen: number | null, requests: number) => ({
    principal,
    seen,
    denied: denied(principal),
    requests,
    prompt_tokens: requests * 310,
    output_tokens: requests * 260,
    gpu_seconds: requests * 5.2,
  });
  const talked = new Map<string, number>();
  for (const { principal, updated } of world.talks.all)
    talked.set(principal, Math.max(updated, talked.get(principal) ?? 0));
  const active = [...talked].map(([principal, seen]) => of(principal, seen, 412));
  const mori = of("https://id.example/#mori", NOW - 86_400, 96);
  const gone = world.denials.map(({ principal }) => of(principal, null, 0));
  const all = [...active, mori, of("key#cat-tool", null, 2310), ...gone];
  return all.filter(({ principal }, index) => all.findIndex(one => one.principal === principal) === index);
}

/** As the person's own calls have it. */
function queryOf({ search, before, limit }: Fields): URLSearchParams {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries({ search, before, limit }))
    if (value !== undefined) query.set(name, String(value));
  return query;
}

function find({ text = "", principal }: Fields, all: readonly Kept[], search: Oversight["search"]): Answer {
  if (!search.on)
    return { status: 400, body: { error: "searching in texts is switched off: [conversations] search" } };
  const theirs = all.filter(kept => principal === undefined || kept.principal === principal);
  const looked = theirs.slice(0, search.most);
  const found = looked.flatMap(({ principal: whose, id, title, said }) =>
    said
      .filter(({ content }) => content.toLowerCase().includes(text.toLowerCase()))
      .map(({ id: message, at, content }) => {
        return { principal: whose, id, title, message, at, excerpt: content.slice(0, 200) };
      }),
  );
  return good({ found, complete: looked.length === theirs.length, looked_at: looked.length });
}
