/** The job of the room and what a person can do with it: start, stop, translate a segment again, recall an old one. */
import { useCallback, useEffect, useMemo, useReducer, useRef } from "react";

import { isAbort, problemOf } from "../api/problem";
import type { Ask } from "../api/translation";
import { kept } from "../shell/preferences";
import { useSurroundings } from "../shell/surroundings";
import { remember } from "./device";
import { type Job, type Step, after, hasResult, idle, resultOf } from "./job";
import { again, run } from "./run";

export interface Translation {
  readonly job: Job;
  readonly start: (wish: Ask) => void;
  readonly stop: () => void;
  /** Translates one segment once more. */
  readonly again: (index: number) => void;
  readonly recall: (wish: Ask, text: string) => void;
  readonly clear: () => void;
  readonly forgive: () => void;
}

export function useTranslation(): Translation {
  const { door, person, look } = useSurroundings();
  const [job, step] = useReducer(after, idle);
  const { current, begin } = useOneAtATime(step);

  const start = useCallback(
    (wish: Ask) => {
      const { signal, tell } = begin();
      let seen = idle;
      const both = (what: Step) => {
        seen = after(seen, what);
        tell(what);
      };
      void run(door, wish, signal, both).then(() => {
        look();
        return keepInHistory(person.owner, seen);
      });
    },
    [begin, door, look, person.owner],
  );
  const oneAgain = useCallback(
    (index: number) => {
      const segment = job.segments.find(candidate => candidate.index === index);
      if (segment === undefined || job.wish === null) return;
      const { signal, tell } = begin();
      tell({ kind: "again", index });
      again(door, { ...job.wish, q: segment.source }, index, signal, tell)
        .then(() => tell({ kind: "again", index: null }))
        .catch((error: unknown) => {
          // The translation that was there is better than half of a new one.
          tell({ kind: "rewrite", index, text: segment.text, marks: segment.marks, whole: true });
          tell(
            isAbort(error)
              ? { kind: "again", index: null }
              : { kind: "fail", problem: problemOf(error), now: Date.now() },
          );
        });
    },
    [begin, door, job],
  );
  return useMemo(
    () => ({
      job,
      start,
      stop: () => current.current?.abort(),
      again: oneAgain,
      recall: (wish, text) => begin().tell({ kind: "recall", wish, text }),
      clear: () => begin().tell({ kind: "clear" }),
      forgive: () => step({ kind: "forgive" }),
    }),
    [job, start, oneAgain, begin, current],
  );
}

/** Begins a job and ends the one before; the room's end ends all. */
function useOneAtATime(step: (what: Step) => void) {
  const current = useRef<AbortController | null>(null);
  const begin = useCallback(() => {
    current.current?.abort();
    const stop = new AbortController();
    current.current = stop;
    // What a job of before still has to say is nobody's business.
    const tell = (what: Step) => {
      if (current.current === stop) step(what);
    };
    return { signal: stop.signal, tell };
  }, [step]);
  useEffect(() => () => current.current?.abort(), []);
  return { current, begin };
}

async function keepInHistory(owner: string, job: Job): Promise<void> {
  if (job.wish === null || !hasResult(job) || kept("history") === "off") return;
  const { q, target, tone } = job.wish;
  const source = job.detected?.language ?? job.wish.source;
  // A browser without a database translates all the same.
  await remember({ owner, at: Date.now(), source, target, tone, q, text: resultOf(job) }).catch(
    () => undefined,
  );
}
