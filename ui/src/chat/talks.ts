/** The conversations that were open since one signed in, so that going back to one is at once. */
import { useEffect, useSyncExternalStore } from "react";

import type { Door } from "../api/door";
import { useSurroundings } from "../shell/surroundings";
import { draftOf, noteDraft } from "./drafts";
import { Talk } from "./talk";
import type { Transcript } from "./transcript";

/** Conversations kept in memory beside those in which something happens. */
const KEPT = 8;

/** For each sign-in its own: nothing of a person is left for the next one. */
const known = new WeakMap<Door, Map<string, Talk>>();

/** The conversation of an id; the same one as long as it is kept. */
export function talkOf(door: Door, owner: string, id: string): Talk {
  const talks = known.get(door) ?? new Map<string, Talk>();
  known.set(door, talks);
  const found = talks.get(id);
  if (found !== undefined) return found;
  const key = draftKey(owner, id);
  const made = new Talk(door, id, content => {
    if (draftOf(key) === "") noteDraft(key, content);
  });
  talks.set(id, made);
  const idle = [...talks.values()].filter(talk => talk.idle && talk !== made);
  for (const talk of idle.slice(0, Math.max(0, idle.length - KEPT))) talks.delete(talk.id);
  return made;
}

/** Forgets one that was deleted. */
export function forgetTalk(door: Door, owner: string, id: string): void {
  known.get(door)?.delete(id);
  noteDraft(draftKey(owner, id), "");
}

/** Whose draft, and of which conversation; without an id that of a new one. */
export const draftKey = (owner: string, id: string) => `${owner} ${id}`;

/** A conversation for a component: loaded when it is shown, followed as long as it is. */
export function useTalk(id: string): { readonly talk: Talk; readonly transcript: Transcript } {
  const { door, person } = useSurroundings();
  const talk = talkOf(door, person.owner, id);
  const transcript = useSyncExternalStore(talk.subscribe, talk.current);
  useEffect(() => talk.open(), [talk]);
  return { talk, transcript };
}
