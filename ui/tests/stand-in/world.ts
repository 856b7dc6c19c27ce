/**
 * A stand-in for the gateway and its issuer, for the page's tests only. It speaks the routes the page uses and answers
 * what a test arranged; it translates nothing. The same tests run against a real demo (`tests/stage.ts`).
 */

import { type Oversight, oversight } from "./moderation";
import { costs } from "./costs";
import { Talks } from "./talk-store";

/** What the stand-in is told to be, and what has happened to it. */
export interface World {
  phase: "awake" | "asleep" | "waking" | "broken";
  /** Seconds from the first request to a ready node. */
  wakeSeconds: number;
  /** Milliseconds between two words. */
  pace: number;
  /** Translations under way: what a stop must bring back to 0. */
  busy: number;
  /** Bodies of `/translate/stream`, newest last. */
  readonly asked: Record<string, unknown>[];
  /** Orders, as `METHOD path body`. */
  readonly orders: string[];
  readonly keys: {
    id: string;
    owner: string;
    acts_as?: string;
    roles: string[];
    created: number;
    expires: number;
    disabled: boolean;
  }[];
  readonly denials: { principal: string; reason: string; since: number }[];
  readonly models: { name: string; size: number; modified_at: string; details?: { family: string } }[];
  readonly files: Map<string, { name: string; text: string }>;
  /** Requests of the limited person in this minute. */
  limited: number;
  oversight: Oversight;
  /** What `GET /fleet/costs` answers. */
  costs: Record<string, unknown>;
  /** Everybody's conversations. */
  readonly talks: Talks;
}

const NOW = Math.floor(Date.now() / 1000);

export function world(): World {
  return {
    phase: "awake",
    wakeSeconds: 3,
    pace: 12,
    busy: 0,
    asked: [],
    orders: [],
    keys: [
      {
        id: "k7Qm2xT9aLwe",
        owner: "terminology-sync",
        roles: ["user"],
        created: NOW - 40 * 86_400,
        expires: NOW + 50 * 86_400,
        disabled: false,
      },
      {
        id: "t8Lk1wN5oPxa",
        owner: "telegram",
        acts_as: "https://id.example/#tanaka",
        roles: [],
        created: NOW - 12 * 86_400,
        expires: NOW + 353 * 86_400,
        disabled: false,
      },
      {
        id: "p3Vn8dR1cYuo",
        owner: "cat-tool",
        roles: ["batch"],
        created: NOW - 200 * 86_400,
        expires: NOW + 9 * 86_400,
        disabled: false,
      },
      {
        id: "z5Hb4sK6eJit",
        owner: "trial",
        roles: [],
        created: NOW - 300 * 86_400,
        expires: NOW - 90 * 86_400,
        disabled: true,
      },
    ],
    denials: [
      { principal: "https://issuer.example/#9f2c41", reason: "left the company", since: NOW - 3 * 86_400 },
    ],
    models: [
      { name: "gemma3n:e4b", size: 7_547_589_116, modified_at: "2026-10-02T09:30:00Z" },
      {
        name: "nomic-embed-text:latest",
        size: 274_302_450,
        modified_at: "2026-09-14T16:05:00Z",
        details: { family: "nomic-bert" },
      },
      { name: "qwen3:8b", size: 5_225_388_164, modified_at: "2026-10-20T11:00:00Z" },
    ],
    files: new Map(),
    limited: 0,
    oversight: oversight(),
    costs: costs(),
    talks: new Talks(),
  };
}

/** Six hours of a morning: asleep, a first request, a rush, calm again. */
export function history(): Record<string, unknown> {
  const points = Array.from({ length: 180 }, (_, index) => {
    const share = index / 179;
    const rush = Math.max(0, Math.sin((share - 0.2) * 4.2)) * (0.75 + 0.25 * Math.sin(index * 0.22));
    const nodes = share < 0.18 ? 0 : Math.max(1, Math.round(rush * 3));
    const queued = share > 0.17 && share < 0.2 ? 4 : Math.round(Math.max(0, rush * 9 - 4));
    return {
      at: NOW - (179 - index) * 120,
      nodes,
      ready: nodes,
      busy: Math.min(nodes * 4, Math.round(rush * 11)),
      slots: nodes * 4,
      queued,
      wait_seconds: share > 0.17 && share < 0.2 ? 150 : queued * 1.5,
      requests_per_second: rush * 2,
      tokens_per_second: Math.round(rush * 140),
      errors: index === 96 ? 2 : 0,
    };
  });
  return { every_seconds: 120, points };
}

export function usage(everybody: boolean): Record<string, unknown> {
  const days = (weight: number) =>
    Array.from({ length: 31 }, (_, index) => {
      const day = new Date((NOW - (30 - index) * 86_400) * 1000).toISOString().slice(0, 10);
      const work = index % 7 > 4 ? 0 : Math.round(weight * (20 + 13 * Math.sin(index * 2.1)));
      return {
        day,
        requests: work,
        prompt_tokens: work * 310,
        output_tokens: work * 260,
        gpu_seconds: work * 5.2,
      };
    }).filter(({ requests }) => requests > 0);
  const people = [{ principal: "demo", days: days(1) }];
  if (everybody) {
    people.push({ principal: "tanaka", days: days(2.3) }, { principal: "key#cat-tool", days: days(6) });
  }
  return { people };
}
