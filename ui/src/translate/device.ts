/** What stays on the device, in its database: translations of old and glossaries, each for the person who made them. */
import { type DBSchema, type IDBPDatabase, openDB } from "idb";

import type { Term, Tone } from "../api/translation";

/** A translation of old. */
export interface Entry {
  readonly id?: number;
  /** Issuer and subject: two people at one device do not see each other's. */
  readonly owner: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly source: string;
  readonly target: string;
  readonly tone: Tone;
  readonly q: string;
  readonly text: string;
}

interface Schema extends DBSchema {
  history: { key: number; value: Entry; indexes: { owner: string } };
  glossaries: { key: string; value: readonly Term[] };
}

/** Entries that one person keeps; the oldest go first. */
const KEPT = 1000;

let opened: Promise<IDBPDatabase<Schema>> | null = null;

function database(): Promise<IDBPDatabase<Schema>> {
  opened ??= openDB<Schema>("page", 1, {
    upgrade(db) {
      db.createObjectStore("history", { keyPath: "id", autoIncrement: true }).createIndex("owner", "owner");
      db.createObjectStore("glossaries");
    },
  });
  return opened;
}

/** Keeps a translation. */
export async function remember(entry: Entry): Promise<void> {
  const transaction = (await database()).transaction("history", "readwrite");
  await transaction.store.add(entry);
  const keys = await transaction.store.index("owner").getAllKeys(entry.owner);
  for (const key of keys.slice(0, Math.max(0, keys.length - KEPT))) await transaction.store.delete(key);
  await transaction.done;
}

/** A person's translations, newest first. */
export async function remembered(owner: string): Promise<readonly Entry[]> {
  return (await (await database()).getAllFromIndex("history", "owner", owner)).reverse();
}

export async function forget(id: number): Promise<void> {
  await (await database()).delete("history", id);
}

export async function forgetAll(owner: string): Promise<void> {
  const transaction = (await database()).transaction("history", "readwrite");
  for (const key of await transaction.store.index("owner").getAllKeys(owner))
    await transaction.store.delete(key);
  await transaction.done;
}

/** Those entries in which every word of a search occurs. */
export function matching(entries: readonly Entry[], search: string): readonly Entry[] {
  const words = search
    .toLocaleLowerCase()
    .split(/\s+/)
    .filter(word => word !== "");
  return entries.filter(({ q, text }) => {
    const all = `${q}\n${text}`.toLocaleLowerCase();
    return words.every(word => all.includes(word));
  });
}

/** A person's terms for translations into a language. */
export async function glossary(owner: string, target: string): Promise<readonly Term[]> {
  return (await (await database()).get("glossaries", `${owner} ${target}`)) ?? [];
}

export async function keepGlossary(owner: string, target: string, terms: readonly Term[]): Promise<void> {
  await (await database()).put("glossaries", terms, `${owner} ${target}`);
}
