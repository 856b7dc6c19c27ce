/** A job keeps the form of its text, whatever comes in whatever order, and knows what matches what. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { Problem } from "../../src/api/problem";
import type { Ask, Event, Part } from "../../src/api/translation";
import { type Job, after, hasResult, idle, marked, resultOf, segmentAt } from "../../src/translate/job";

const wish = (q: string): Ask => ({ q, source: "auto", target: "ja", tone: "neutral", glossary: [] });

const started = (parts: readonly Part[]): Event => ({ kind: "start", detected: null, parts });

function job(q: string, ...events: readonly Event[]): Job {
  return after(after(idle, { kind: "begin", wish: wish(q) }), { kind: "events", events, now: 1000 });
}

const pieces = fc.array(
  fc.record({
    before: fc.string({ unit: "grapheme" }),
    source: fc.string({ unit: "grapheme" }),
    after: fc.string(),
  }),
  { minLength: 1 },
);

describe("a job", () => {
  it("gives the text back when each segment is translated by itself, in any order", () => {
    fc.assert(
      fc.property(pieces, fc.array(fc.nat()), (list, order) => {
        const parts = list.map((piece, index) => ({ ...piece, index }));
        const q = parts.map(part => part.before + part.source + part.after).join("");
        const shuffled = [...parts].sort((a, b) => (order[a.index] ?? 0) - (order[b.index] ?? 0));
        const done = job(
          q,
          started(parts),
          ...shuffled.map(({ index, source }): Event => ({
            kind: "segment",
            index,
            text: source,
            marks: [],
          })),
        );
        expect(resultOf(done)).toBe(q);
        for (const segment of done.segments) expect(q.slice(segment.from, segment.to)).toBe(segment.source);
      }),
    );
  });

  const parts: readonly Part[] = [
    { index: 0, source: "One.", before: " ", after: "\n" },
    { index: 1, source: "Two.", before: "", after: "" },
  ];

  it("grows by deltas, begins a segment anew on reset, and takes the whole for the truth", () => {
    const growing = job(
      " One.\nTwo.",
      started(parts),
      { kind: "delta", index: 1, text: "zw" },
      { kind: "delta", index: 1, text: "ei" },
    );
    expect(resultOf(growing)).toBe(" \nzwei");
    const reset = after(growing, { kind: "events", events: [{ kind: "reset", index: 1 }], now: 0 });
    expect(hasResult(reset)).toBe(false);
    const whole = after(reset, {
      kind: "events",
      events: [{ kind: "segment", index: 1, text: "Zwei.", marks: ["numbers"] }],
      now: 0,
    });
    expect(resultOf(whole)).toBe(" \nZwei.");
    expect(marked(whole)).toBe(1);
  });

  it("finds the segment at a place of the text", () => {
    const placed = job(" One.\nTwo.", started(parts));
    expect([0, 1, 5, 6, 10].map(place => segmentAt(placed, place))).toEqual([null, 0, 0, 1, 1]);
  });

  it("counts a wait from now, and forgets it when something comes", () => {
    const waiting = job("x", { kind: "wait", state: "asleep", seconds: 90 });
    expect(waiting.wait).toEqual({ state: "asleep", until: 91_000 });
    expect(after(waiting, { kind: "events", events: [started(parts)], now: 0 }).wait).toBeNull();
  });

  it("keeps what came when it is stopped or fails", () => {
    const growing = job("x", started(parts), { kind: "delta", index: 0, text: "eins" });
    expect(hasResult(after(growing, { kind: "stop" }))).toBe(true);
    const failed = after(growing, { kind: "fail", problem: new Problem("cut"), now: 5 });
    expect([failed.phase, resultOf(failed), failed.failedAt]).toEqual(["failed", " eins\n", 5]);
    expect(after(failed, { kind: "forgive" })).toMatchObject({ phase: "stopped", problem: null });
  });

  it("stays done when one more try for a segment fails", () => {
    const done = job("x", started(parts), { kind: "final", text: "", promptTokens: 1, outputTokens: 2 });
    const trying = after(done, { kind: "again", index: 1 });
    expect(after(trying, { kind: "fail", problem: new Problem("limit"), now: 0 })).toMatchObject({
      phase: "done",
      again: null,
    });
  });

  it("shows the whole where the service told no parts", () => {
    expect(resultOf(job("Hi", { kind: "final", text: "Hallo", promptTokens: 1, outputTokens: 1 }))).toBe(
      "Hallo",
    );
  });
});
