/** Files on their way through the service: sent, translated, fetched, ready to be saved. */
import { useCallback, useEffect, useReducer, useRef } from "react";

import type { Door } from "../api/door";
import { type Problem, isAbort, problemOf } from "../api/problem";
import { type Ask, type FileEvent, download, translateFile } from "../api/translation";
import { useSurroundings } from "../shell/surroundings";
import type { Wait } from "../parts/wait-line";

type Pair = Pick<Ask, "source" | "target">;

export interface FileJob {
  readonly id: number;
  readonly file: File;
  readonly pair: Pair;
  readonly phase: "sending" | "running" | "done" | "failed" | "stopped";
  readonly done: number;
  readonly total: number;
  readonly wait: Wait | null;
  readonly problem: Problem | null;
  readonly failedAt: number;
  readonly result: Blob | null;
}

type Step =
  | { readonly kind: "add"; readonly job: FileJob }
  | { readonly kind: "change"; readonly id: number; readonly change: Partial<FileJob> }
  | { readonly kind: "remove"; readonly id: number };

function after(jobs: readonly FileJob[], step: Step): readonly FileJob[] {
  switch (step.kind) {
    case "add":
      return [step.job, ...jobs.filter(({ id }) => id !== step.job.id)];
    case "change":
      return jobs.map(job => (job.id === step.id ? { ...job, ...step.change } : job));
    case "remove":
      return jobs.filter(({ id }) => id !== step.id);
  }
}

export interface Files {
  readonly jobs: readonly FileJob[];
  readonly add: (file: File, pair: Pair) => void;
  readonly again: (job: FileJob) => void;
  readonly stop: (id: number) => void;
  readonly remove: (id: number) => void;
}

export function useFiles(): Files {
  const { door } = useSurroundings();
  const [jobs, step] = useReducer(after, []);
  const stops = useRef(new Map<number, AbortController>());
  useEffect(() => {
    const all = stops.current;
    return () => all.forEach(stop => stop.abort());
  }, []);
  const begin = useCallback(
    (id: number, file: File, pair: Pair) => {
      const stop = new AbortController();
      stops.current.set(id, stop);
      step({ kind: "add", job: fresh(id, file, pair) });
      void through(door, file, pair, stop.signal, change => step({ kind: "change", id, change }));
    },
    [door],
  );
  const count = useRef(0);
  return {
    jobs,
    add: (file, pair) => begin(++count.current, file, pair),
    again: ({ id, file, pair }) => begin(id, file, pair),
    stop: id => stops.current.get(id)?.abort(),
    remove: id => {
      stops.current.get(id)?.abort();
      step({ kind: "remove", id });
    },
  };
}

function fresh(id: number, file: File, pair: Pair): FileJob {
  return {
    id,
    file,
    pair,
    phase: "sending",
    done: 0,
    total: 0,
    wait: null,
    problem: null,
    failedAt: 0,
    result: null,
  };
}

async function through(
  door: Door,
  file: File,
  pair: Pair,
  signal: AbortSignal,
  tell: (change: Partial<FileJob>) => void,
): Promise<void> {
  try {
    for await (const event of translateFile(door, file, pair, signal)) {
      // Fetched at once: the service does not keep it for long.
      if (event.kind === "ready")
        tell({ phase: "done", wait: null, result: await download(door, event.address) });
      else tell(changeBy(event));
    }
  } catch (error) {
    tell(
      isAbort(error)
        ? { phase: "stopped", wait: null }
        : { phase: "failed", wait: null, problem: problemOf(error), failedAt: Date.now() },
    );
  }
}

function changeBy(event: Exclude<FileEvent, { kind: "ready" }>): Partial<FileJob> {
  if (event.kind === "progress")
    return { phase: "running", wait: null, done: event.done, total: event.total };
  return {
    wait: { state: event.state, until: event.seconds === null ? null : Date.now() + event.seconds * 1000 },
  };
}

/** `report.docx` into Japanese is `report.ja.docx`. */
export function translatedName(name: string, target: string): string {
  const dot = name.lastIndexOf(".");
  return dot <= 0 ? `${name}.${target}` : `${name.slice(0, dot)}.${target}${name.slice(dot)}`;
}
