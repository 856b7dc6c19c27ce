/** The rooms of the page and who sees their doors. A later room is one more row. */
import { useSyncExternalStore } from "react";

import type { Person } from "../sign-in/session";
import type { Words } from "../words/catalogue";

export type RoomName = Exclude<keyof Words["rooms"], "label">;

/** The gateway guards what is behind a door; the page only spares people doors that stay shut. */
const DOORS: readonly { readonly name: RoomName; readonly open: (person: Person) => boolean }[] = [
  { name: "translate", open: () => true },
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

/** The address of a room: behind `#`, so that any web server will do, at a root as well as under a path. */
export const addressOf = (room: RoomName) => `#/${room}`;

/** The room that an address names; the first for all others. */
export function roomAt(hash: string): RoomName {
  return DOORS.find(door => addressOf(door.name) === hash)?.name ?? "translate";
}

/** The room one is in, following the address. */
export function useRoom(): RoomName {
  return useSyncExternalStore(
    listener => {
      addEventListener("hashchange", listener);
      return () => removeEventListener("hashchange", listener);
    },
    () => roomAt(location.hash),
  );
}
