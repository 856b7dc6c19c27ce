/** The rooms of the page and who sees their doors. A later room is one more row. */
import { useSyncExternalStore } from "react";

import type { Person } from "../sign-in/session";
import type { Words } from "../words/catalogue";

export type RoomName = Exclude<keyof Words["rooms"], "label">;

/** The gateway guards what is behind a door; the page only spares people doors that stay shut. */
const DOORS: readonly { readonly name: RoomName; readonly open: (person: Person) => boolean }[] = [
  { name: "translate", open: () => true },
  { name: "chat", open: () => true },
  { name: "fleet", open: person => person.operates },
  { name: "models", open: person => person.administers },
  { name: "keys", open: person => person.administers },
  { name: "people", open: () => true },
  { name: "costs", open: person => person.operates },
  { name: "admin", open: person => person.administers },
];

/** The rooms a person sees. */
export function roomsOf(person: Person): readonly RoomName[] {
  return DOORS.filter(door => door.open(person)).map(door => door.name);
}

/**
 * The address of a room, and of a place in it: behind `#`, so that any web server will do, at a root as well as under
 * a path.
 */
export const addressOf = (room: RoomName, place = "") => `#/${room}${place === "" ? "" : `/${place}`}`;

/** The room that an address names; the first for all others. */
export function roomAt(hash: string): RoomName {
  const [start, name] = hash.split("/");
  return DOORS.find(door => start === "#" && door.name === name)?.name ?? "translate";
}

/** The place in its room that an address names; empty: the room itself. */
export function placeAt(hash: string): string {
  return hash.split("/")[2] ?? "";
}

/** The room one is in, following the address. */
export function useRoom(): RoomName {
  return useSyncExternalStore(followAddress, () => roomAt(location.hash));
}

/** The place one is at in the room, following the address. */
export function usePlace(): string {
  return useSyncExternalStore(followAddress, () => placeAt(location.hash));
}

function followAddress(listener: () => void): () => void {
  addEventListener("hashchange", listener);
  return () => removeEventListener("hashchange", listener);
}
