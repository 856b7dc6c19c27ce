/** Data that a component needs from outside: loaded, loaded again, and what went wrong. */
import { useCallback, useEffect, useRef, useState } from "react";

import { type Problem, isAbort, problemOf } from "../api/problem";

export interface Loaded<T> {
  /** The last good answer. */
  readonly value: T | null;
  readonly problem: Problem | null;
  readonly reload: () => void;
}

/**
 * Loads when `key` changes, on `reload`, and every so many milliseconds while the page is looked at (0: never by
 * itself), which may depend on what is there. The last good answer stays while the next is awaited.
 */
export function useLoad<T>(
  key: string,
  load: (signal: AbortSignal) => Promise<T>,
  every: number | ((value: T | null) => number) = 0,
): Loaded<T> {
  const [value, setValue] = useState<T | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [round, setRound] = useState(0);
  const latest = useRef(load);
  useEffect(() => {
    latest.current = load;
  });
  useEffect(() => {
    const stop = new AbortController();
    latest.current(stop.signal).then(
      answer => {
        if (stop.signal.aborted) return;
        setValue(answer);
        setProblem(null);
      },
      (error: unknown) => {
        if (!stop.signal.aborted && !isAbort(error)) setProblem(problemOf(error));
      },
    );
    return () => stop.abort();
  }, [key, round]);
  const reload = useCallback(() => setRound(before => before + 1), []);
  const pause = typeof every === "number" ? every : every(value);
  useEffect(() => {
    if (pause === 0) return;
    const timer = setInterval(() => {
      if (document.visibilityState === "visible") reload();
    }, pause);
    return () => clearInterval(timer);
  }, [pause, reload]);
  return { value, problem, reload };
}

/** The time in milliseconds, once a second while `running`. */
export function useNow(running: boolean): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (!running) return;
    const tick = () => setNow(Date.now());
    const first = setTimeout(tick, 0);
    const timer = setInterval(tick, 1000);
    return () => {
      clearTimeout(first);
      clearInterval(timer);
    };
  }, [running]);
  return now;
}

/** Does things one at a time for buttons: whether one is under way, and what went wrong with the last. */
export function useDeed(): {
  readonly busy: boolean;
  readonly problem: Problem | null;
  readonly forgive: () => void;
  readonly act: (deed: () => Promise<unknown>, then?: () => void) => void;
} {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const act = useCallback((deed: () => Promise<unknown>, then?: () => void) => {
    setBusy(true);
    setProblem(null);
    deed()
      .then(() => then?.())
      .catch((error: unknown) => setProblem(problemOf(error)))
      .finally(() => setBusy(false));
  }, []);
  return { busy, problem, forgive: () => setProblem(null), act };
}
