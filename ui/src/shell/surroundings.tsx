/** What every room stands in: the configuration, the way to the gateway, the person, and the fleet's state. */
import { createContext, use } from "react";

import type { Door } from "../api/door";
import type { Fleet } from "../api/fleet";
import type { Config } from "../config";
import type { Person } from "../sign-in/session";

export interface Surroundings {
  readonly config: Config;
  readonly door: Door;
  readonly person: Person;
  /** As last heard; null before the first answer. */
  readonly fleet: Fleet | null;
  /** Asks for the fleet's state again, now. */
  readonly look: () => void;
  /** Begins a new sign-in. */
  readonly signIn: () => void;
}

export const SurroundingsContext = createContext<Surroundings | null>(null);

/** The surroundings of a room. There are none outside the shell. */
export function useSurroundings(): Surroundings {
  const surroundings = use(SurroundingsContext);
  if (surroundings === null) throw new Error("a room stands in the shell only");
  return surroundings;
}
