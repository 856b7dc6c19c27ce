/** Runs a job against the gateway: batches what comes, and begins anew by itself while the fleet starts. */
import type { Door } from "../api/door";
import { PATIENCE, PAUSE, held, looked } from "../api/patience";
import { isAbort, problemOf } from "../api/problem";
import { type Ask, type Event, translate } from "../api/translation";
import { type Job, type Step, after, idle, resultOf } from "./job";

/** Milliseconds between two looks at the screen: tokens come faster than anybody reads. */
const BATCH = 40;

/** Translates; tells every step. Ends when the job does. */
export async function run(
  door: Door,
  wish: Ask,
  signal: AbortSignal,
  tell: (step: Step) => void,
): Promise<void> {
  tell({ kind: "begin", wish });
  const started = Date.now();
  for (;;) {
    try {
      await once(door, wish, signal, tell);
      return;
    } catch (error) {
      if (isAbort(error)) {
        tell({ kind: "stop" });
        return;
      }
      const problem = await looked(door, problemOf(error));
      const seconds = problem.retryAfter ?? PAUSE;
      if (problem.kind !== "waking" || Date.now() - started + seconds * 1000 > PATIENCE * 1000) {
        tell({ kind: "fail", problem, now: Date.now() });
        return;
      }
      tell({ kind: "hold", seconds, now: Date.now() });
      if (!(await held(door, seconds, signal))) {
        tell({ kind: "stop" });
        return;
      }
    }
  }
}

/** Translates one segment again and tells how it grows. Throws what goes wrong. */
export async function again(
  door: Door,
  wish: Ask,
  index: number,
  signal: AbortSignal,
  tell: (step: Step) => void,
): Promise<void> {
  let inner: Job = after(idle, { kind: "begin", wish });
  const report = (whole: boolean) =>
    tell({
      kind: "rewrite",
      index,
      text: resultOf(inner),
      marks: inner.segments.flatMap(s => s.marks),
      whole,
    });
  await once(door, wish, signal, step => {
    inner = after(inner, step);
    if (inner.segments.length > 0) report(false);
  });
  report(true);
}

async function once(door: Door, wish: Ask, signal: AbortSignal, tell: (step: Step) => void): Promise<void> {
  const waiting: Event[] = [];
  const flush = () => {
    if (waiting.length > 0) tell({ kind: "events", events: waiting.splice(0), now: Date.now() });
  };
  const timer = setInterval(flush, BATCH);
  try {
    for await (const event of translate(door, wish, signal)) waiting.push(event);
  } finally {
    clearInterval(timer);
    flush();
  }
}
