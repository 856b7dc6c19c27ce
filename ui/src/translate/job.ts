/**
 * One translation from its wish to its end, as a value: what has come so far, what is awaited, what went wrong. Pure;
 * time comes in as milliseconds.
 */
import type { Problem } from "../api/problem";
import type { Ask, Detected, Event, Part } from "../api/translation";
import type { Wait } from "../parts/wait-line";

/** A part of the text and what has become of it. */
export interface Segment extends Part {
  /** Where `source` stands in the text, in UTF-16 units as a text field counts. */
  readonly from: number;
  readonly to: number;
  readonly text: string;
  readonly state: "waiting" | "writing" | "done";
  /** What the service found doubtful. */
  readonly marks: readonly string[];
}

export type Phase = "idle" | "running" | "done" | "stopped" | "failed";

export interface Job {
  readonly phase: Phase;
  readonly wish: Ask | null;
  readonly detected: Detected | null;
  readonly segments: readonly Segment[];
  readonly done: number;
  readonly total: number;
  readonly wait: Wait | null;
  readonly problem: Problem | null;
  /** When the problem came, so that its countdown has a beginning. */
  readonly failedAt: number;
  readonly tokens: { readonly prompt: number; readonly output: number } | null;
  /** The segment that is being translated again. */
  readonly again: number | null;
}

export const idle: Job = {
  phase: "idle",
  wish: null,
  detected: null,
  segments: [],
  done: 0,
  total: 0,
  wait: null,
  problem: null,
  failedAt: 0,
  tokens: null,
  again: null,
};

/** What happens to a job. */
export type Step =
  | { readonly kind: "begin"; readonly wish: Ask }
  | { readonly kind: "events"; readonly events: readonly Event[]; readonly now: number }
  | { readonly kind: "hold"; readonly seconds: number; readonly now: number }
  | { readonly kind: "stop" }
  | { readonly kind: "fail"; readonly problem: Problem; readonly now: number }
  | { readonly kind: "forgive" }
  | { readonly kind: "clear" }
  | { readonly kind: "recall"; readonly wish: Ask; readonly text: string }
  | { readonly kind: "again"; readonly index: number | null }
  | {
      readonly kind: "rewrite";
      readonly index: number;
      readonly text: string;
      readonly marks: readonly string[];
      readonly whole: boolean;
    };

/** The job after a step. */
export function after(job: Job, step: Step): Job {
  switch (step.kind) {
    case "begin":
      return { ...idle, phase: "running", wish: step.wish };
    case "events":
      return step.events.reduce((before, event) => heard(before, event, step.now), job);
    case "hold":
      // The service could not yet; what had come is asked for anew.
      return {
        ...idle,
        phase: "running",
        wish: job.wish,
        wait: { state: "waking", until: step.now + step.seconds * 1000 },
      };
    case "stop":
      return { ...job, phase: job.phase === "running" ? "stopped" : job.phase, wait: null, again: null };
    case "fail":
      return {
        ...job,
        phase: job.again === null ? "failed" : job.phase,
        wait: null,
        again: null,
        problem: step.problem,
        failedAt: step.now,
      };
    case "forgive":
      return { ...job, problem: null, phase: job.phase === "failed" ? "stopped" : job.phase };
    case "clear":
      return idle;
    case "recall":
      return recalled(step.wish, step.text);
    case "again":
      return { ...job, again: step.index, problem: null };
    case "rewrite":
      return rewritten(job, step.index, s => ({
        ...s,
        text: step.text,
        marks: step.marks,
        state: step.whole ? "done" : "writing",
      }));
  }
}

function heard(job: Job, event: Event, now: number): Job {
  switch (event.kind) {
    case "start":
      return {
        ...job,
        wait: null,
        detected: event.detected,
        segments: placed(event.parts),
        total: event.parts.length,
      };
    case "delta":
      return {
        ...rewritten(job, event.index, s => ({ ...s, text: s.text + event.text, state: "writing" })),
        wait: null,
      };
    case "reset":
      return rewritten(job, event.index, s => ({ ...s, text: "", state: "waiting" }));
    case "segment":
      return {
        ...rewritten(job, event.index, s => ({ ...s, text: event.text, marks: event.marks, state: "done" })),
        wait: null,
      };
    case "progress":
      return { ...job, done: event.done, total: event.total };
    case "wait":
      return {
        ...job,
        wait: { state: event.state, until: event.seconds === null ? null : now + event.seconds * 1000 },
      };
    case "final":
      return {
        ...job,
        phase: "done",
        wait: null,
        done: job.segments.length,
        tokens: { prompt: event.promptTokens, output: event.outputTokens },
        segments: job.segments.length > 0 ? job.segments : recalled(job.wish, event.text).segments,
      };
  }
}

function rewritten(job: Job, index: number, change: (segment: Segment) => Segment): Job {
  return {
    ...job,
    segments: job.segments.map(segment => (segment.index === index ? change(segment) : segment)),
  };
}

/** Segments with their places in the text. */
function placed(parts: readonly Part[]): readonly Segment[] {
  let at = 0;
  return [...parts]
    .sort((a, b) => a.index - b.index)
    .map(part => {
      const from = at + part.before.length;
      const to = from + part.source.length;
      at = to + part.after.length;
      return { ...part, from, to, text: "", state: "waiting", marks: [] };
    });
}

/** A translation of old: one segment, since the parts were not kept. */
function recalled(wish: Ask | null, text: string): Job {
  const source = wish?.q ?? "";
  const segment: Segment = {
    index: 0,
    source,
    before: "",
    after: "",
    from: 0,
    to: source.length,
    text,
    state: "done",
    marks: [],
  };
  return { ...idle, phase: "done", wish, segments: [segment], done: 1, total: 1 };
}

/** The translation as it stands. What has not come yet is missing; white space and structure around it are not. */
export function resultOf(job: Job): string {
  return job.segments.map(({ before, text, after: behind }) => before + text + behind).join("");
}

/** Has anything come that is worth keeping? */
export function hasResult(job: Job): boolean {
  return job.segments.some(segment => segment.text !== "");
}

/** How many segments the service wants somebody to look at. */
export function marked(job: Job): number {
  return job.segments.filter(segment => segment.marks.length > 0).length;
}

/** The segment at a place of the text, or null between two of them. */
export function segmentAt(job: Job, place: number): number | null {
  return job.segments.find(({ from, to }) => from <= place && place <= to)?.index ?? null;
}
