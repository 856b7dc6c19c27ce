/** A list that comes page by page: the first at once, each further one when it is asked for. */
import { useCallback, useEffect, useRef, useState } from "react";

import { type Problem, isAbort, problemOf } from "../api/problem";

export interface Pages<P> {
  /** In the order in which they came. */
  readonly pages: readonly P[];
  readonly busy: boolean;
  readonly problem: Problem | null;
  /** Asks for the next page; null: there is none, or one is awaited. */
  readonly more: (() => void) | null;
  /** Asks once more for what failed. */
  readonly retry: () => void;
  /** Begins anew. */
  readonly restart: () => void;
}

interface Turn<C> {
  readonly before: C | null;
  /** Does it begin anew? */
  readonly first: boolean;
}

interface Come<P, C> {
  readonly pages: readonly P[];
  readonly problem: Problem | null;
  /** What this answers. */
  readonly of: Turn<C> | null;
}

/** `start` and `load` of the first render hold; for other ones give the component another `key`. */
export function usePages<P, C>(
  load: (before: C | null, signal: AbortSignal) => Promise<P>,
  nextOf: (page: P) => C | null,
  start: C | null = null,
): Pages<P> {
  const [turn, setTurn] = useState<Turn<C>>({ before: start, first: true });
  const [come, setCome] = useState<Come<P, C>>({ pages: [], problem: null, of: null });
  const call = useRef(load);
  useEffect(() => {
    const stop = new AbortController();
    call.current(turn.before, stop.signal).then(
      page => {
        if (stop.signal.aborted) return;
        setCome(now => ({ pages: turn.first ? [page] : [...now.pages, page], problem: null, of: turn }));
      },
      (error: unknown) => {
        if (stop.signal.aborted || isAbort(error)) return;
        setCome(now => ({ ...now, problem: problemOf(error), of: turn }));
      },
    );
    return () => stop.abort();
  }, [turn]);
  const retry = useCallback(() => setTurn(now => ({ ...now })), []);
  const restart = useCallback(() => setTurn({ before: start, first: true }), [start]);
  const busy = come.of !== turn;
  const last = come.pages.at(-1);
  const next = last === undefined ? null : nextOf(last);
  const more = busy || next === null ? null : () => setTurn({ before: next, first: false });
  return { pages: come.pages, busy, problem: busy ? null : come.problem, more, retry, restart };
}
