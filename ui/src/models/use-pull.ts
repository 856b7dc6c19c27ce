/** Adds a model, and tells how far that is. */
import { useState } from "react";

import { type PullLine, pull } from "../api/fleet";
import type { Problem } from "../api/problem";
import { useDeed } from "../parts/load";
import { useSurroundings } from "../shell/surroundings";

export interface Pulling {
  readonly busy: boolean;
  readonly problem: Problem | null;
  readonly forgive: () => void;
  /** What was last said of it; null: nothing yet. */
  readonly line: PullLine | null;
  readonly start: (name: string, then: () => void) => void;
}

export function usePull(): Pulling {
  const { door, look } = useSurroundings();
  const { busy, problem, forgive, act } = useDeed();
  const [line, setLine] = useState<PullLine | null>(null);
  const start = (name: string, then: () => void) => {
    const go = async () => {
      for await (const said of pull(door, name)) setLine(said);
    };
    act(go, () => {
      then();
      look();
    });
  };
  return { busy, problem, forgive, line, start };
}

/** From 0 to 1; null where it is not said. */
export const shareOf = (line: PullLine | null) =>
  line !== null && line.total > 0 ? line.completed / line.total : null;
