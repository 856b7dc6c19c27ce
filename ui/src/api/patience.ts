/** How the page waits for a fleet that only just starts, instead of giving up. */
import type { Door } from "./door";
import { fleet } from "./fleet";
import { Problem } from "./problem";

/** Seconds until the next try where the gateway names none. */
export const PAUSE = 10;

/** Seconds between two looks at a fleet that starts: it may be ready long before the gateway's queue has room again. */
const LOOK = 5;

/** Seconds that one may wait for the fleet: the gateway's `hold_seconds` and half as much again. */
export const PATIENCE = 900;

/** A 503 or 504 may mean that the fleet only just starts, or cannot: its state tells. */
export async function looked(door: Door, problem: Problem): Promise<Problem> {
  if (problem.kind !== "overloaded" && problem.kind !== "tooLate") return problem;
  const state = await fleet(door).catch(() => null);
  switch (state?.phase) {
    case "asleep":
    case "waking":
      return new Problem("waking", problem);
    case "broken":
      return new Problem("broken", problem);
    default:
      return problem;
  }
}

/** Waits so many seconds, or until the fleet is awake; false if somebody stopped it. */
export async function held(door: Door, seconds: number, signal: AbortSignal): Promise<boolean> {
  for (let left = seconds; left > 0; left -= LOOK) {
    if (!(await slept(Math.min(left, LOOK) * 1000, signal))) return false;
    if (left > LOOK && (await fleet(door).catch(() => null))?.phase === "awake") return true;
  }
  return true;
}

/** Waits; false if somebody stopped it. */
function slept(milliseconds: number, signal: AbortSignal): Promise<boolean> {
  return new Promise(resolve => {
    const over = (whole: boolean) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", stopped);
      resolve(whole);
    };
    const stopped = () => over(false);
    const timer = setTimeout(() => over(true), milliseconds);
    signal.addEventListener("abort", stopped);
    if (signal.aborted) over(false);
  });
}
