/** A transcript goes from step to step, and whatever happens, each message stands in it once and in order. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  type Message,
  type View,
  type Wish,
  conversationOf,
  eventOf,
  messageOf,
} from "../../src/api/conversations";
import { Problem } from "../../src/api/problem";
import {
  type Step,
  type Transcript,
  after,
  blank,
  isUnanswered,
  lastAnswer,
} from "../../src/chat/transcript";

const id = (number: number) => String(number).padStart(16, "0");
const message = (number: number, role: "user" | "assistant", content: string, state = "whole"): Message =>
  messageOf({ id: id(number), role, content, state, at: 1 });
const talk = (busy = false) => conversationOf({ id: "c", title: "t", model: "m", busy });
const view = (messages: Message[], earlier: number | null = null, busy = false): View => ({
  conversation: talk(busy),
  messages,
  earlier: earlier === null ? null : id(earlier),
});
const say = (content: string, replaces: string | null = null): Wish => ({ kind: "say", content, replaces });
const walk = (steps: readonly Step[], from = blank): Transcript => steps.reduce(after, from);
const contents = ({ messages }: Transcript) => messages.map(({ content }) => content);

const twoTurns = walk([
  { kind: "load", what: "all" },
  {
    kind: "viewed",
    view: view([
      message(1, "user", "q1"),
      message(2, "assistant", "a1"),
      message(3, "user", "q2"),
      message(4, "assistant", "a2"),
    ]),
  },
]);

describe("a transcript", () => {
  it("shows what one said at once, and the answer piece by piece, then as it was stored", () => {
    const sent = walk([{ kind: "send", wish: say("q3"), now: 5000 }], twoTurns);
    expect([sent.phase, contents(sent).at(-1)]).toEqual(["sending", "q3"]);
    const begun = walk(
      [
        {
          kind: "events",
          now: 5000,
          events: [
            { kind: "taken" },
            { kind: "start", user: message(5, "user", "q3"), answer: id(6), turnsCut: 2 },
            { kind: "wait", state: "queued", seconds: 3 },
          ],
        },
      ],
      sent,
    );
    expect(begun.wait).toEqual({ state: "queued", until: 8000 });
    const growing = walk(
      [
        {
          kind: "events",
          now: 6000,
          events: [
            { kind: "delta", text: "a" },
            { kind: "delta", text: "3" },
          ],
        },
      ],
      begun,
    );
    expect(contents(growing)).toEqual(["q1", "a1", "q2", "a2", "q3", "a3"]);
    expect([growing.phase, growing.wait, growing.messages.at(-1)?.turnsCut]).toEqual(["writing", null, 2]);
    const ended = walk(
      [
        {
          kind: "events",
          now: 7000,
          events: [{ kind: "message", message: message(6, "assistant", "a3!"), conversation: talk() }],
        },
      ],
      growing,
    );
    expect(contents(ended)).toEqual(["q1", "a1", "q2", "a2", "q3", "a3!"]);
    expect([ended.phase, ended.outcome, lastAnswer(ended)?.id]).toEqual(["idle", "done", id(6)]);
  });

  it("takes a message's followers away where it is said otherwise, and brings them back where that is refused", () => {
    const sent = walk([{ kind: "send", wish: say("q1, otherwise", id(1)), now: 0 }], twoTurns);
    expect(contents(sent)).toEqual(["q1, otherwise"]);
    const refused = walk(
      [
        {
          kind: "refused",
          wish: say("q1, otherwise", id(1)),
          problem: new Problem("limit", { retryAfter: 3 }),
          now: 9,
        },
      ],
      sent,
    );
    expect(contents(refused)).toEqual(["q1", "a1", "q2", "a2"]);
    expect([refused.problem?.kind, refused.failedAt, refused.refused?.kind]).toEqual(["limit", 9, "say"]);
    expect(walk([{ kind: "forgive" }], refused)).toMatchObject({ problem: null, refused: null });
  });

  it("makes the last answer anew in its place", () => {
    const begun = walk(
      [
        { kind: "send", wish: { kind: "again" }, now: 0 },
        {
          kind: "events",
          now: 0,
          events: [
            { kind: "start", user: null, answer: id(7), turnsCut: 0 },
            { kind: "delta", text: "new" },
          ],
        },
      ],
      twoTurns,
    );
    expect(contents(begun)).toEqual(["q1", "a1", "q2", "new"]);
  });

  it("keeps what had come when an answer ends early, and says how it ended", () => {
    const begun = walk(
      [
        { kind: "send", wish: say("q3"), now: 0 },
        {
          kind: "events",
          now: 0,
          events: [
            { kind: "start", user: message(5, "user", "q3"), answer: id(6), turnsCut: 0 },
            { kind: "delta", text: "half" },
          ],
        },
      ],
      twoTurns,
    );
    const broken = message(6, "assistant", "half an", "broken");
    const problem = new Problem("upstream");
    const kept = walk(
      [{ kind: "events", now: 4, events: [{ kind: "error", problem, message: broken }] }],
      begun,
    );
    expect(kept.messages.at(-1)).toEqual(broken);
    expect([kept.outcome, kept.problem, kept.phase]).toEqual(["broken", problem, "idle"]);
    const lost = walk(
      [{ kind: "events", now: 4, events: [{ kind: "error", problem, message: null }] }],
      begun,
    );
    expect(lost.messages.at(-1)).toMatchObject({ content: "half", state: "broken" });
    const stopped = message(6, "assistant", "half", "stopped");
    const ended = walk(
      [{ kind: "events", now: 4, events: [{ kind: "message", message: stopped, conversation: talk() }] }],
      begun,
    );
    expect(ended.outcome).toBe("stopped");
  });

  it("drops an answer of which nothing came, and offers to answer", () => {
    const failed = walk(
      [
        { kind: "send", wish: say("q3"), now: 0 },
        {
          kind: "events",
          now: 0,
          events: [
            { kind: "start", user: message(5, "user", "q3"), answer: id(6), turnsCut: 0 },
            { kind: "error", problem: new Problem("overloaded"), message: null },
          ],
        },
      ],
      twoTurns,
    );
    expect(contents(failed).at(-1)).toBe("q3");
    expect(isUnanswered(failed)).toBe(true);
    expect(isUnanswered(twoTurns)).toBe(false);
  });

  it("looks on where the connection broke, until the answer is there", () => {
    const left = walk([{ kind: "send", wish: say("q3"), now: 0 }, { kind: "left" }], twoTurns);
    const seen = (state: string, content: string, busy: boolean): Step => ({
      kind: "viewed",
      view: view([message(5, "user", "q3"), message(6, "assistant", content, state)], 5, busy),
    });
    const still = walk([seen("writing", "ha", true)], left);
    expect([still.phase, contents(still).at(-1)]).toEqual(["elsewhere", "ha"]);
    const done = walk([seen("whole", "half", false)], still);
    expect([done.phase, done.outcome, contents(done).at(-1)]).toEqual(["idle", "done", "half"]);
  });

  it("keeps older messages that join a new look, and drops those behind a gap", () => {
    const long = walk([
      { kind: "viewed", view: view([message(11, "user", "k"), message(12, "assistant", "l")], 11) },
      { kind: "viewedEarlier", view: view([message(9, "user", "i"), message(10, "assistant", "j")], 9) },
    ]);
    expect([contents(long), long.earlier]).toEqual([["i", "j", "k", "l"], id(9)]);
    const joined = walk(
      [{ kind: "viewed", view: view([message(12, "assistant", "l"), message(13, "user", "m")], 12) }],
      long,
    );
    expect([contents(joined), joined.earlier]).toEqual([["i", "j", "k", "l", "m"], id(9)]);
    const apart = walk(
      [{ kind: "viewed", view: view([message(20, "assistant", "x"), message(21, "user", "y")], 20) }],
      long,
    );
    expect([contents(apart), apart.earlier]).toEqual([["x", "y"], id(20)]);
  });

  it("holds each message once and in order, whatever comes in which order", () => {
    const step = fc.oneof(
      fc
        .record({ from: fc.nat(20), length: fc.nat(8), busy: fc.boolean() })
        .map(({ from, length, busy }): Step => ({
          kind: "viewed",
          view: view(
            Array.from({ length }, (_, index) =>
              message(from + index, index % 2 ? "assistant" : "user", "v"),
            ),
            from > 0 && length > 0 ? from : null,
            busy,
          ),
        })),
      fc.record({ from: fc.nat(20), length: fc.nat(8) }).map(({ from, length }): Step => ({
        kind: "viewedEarlier",
        view: view(
          Array.from({ length }, (_, index) => message(from + index, "user", "e")),
          from,
        ),
      })),
      fc.constant<Step>({ kind: "send", wish: say("s"), now: 0 }),
      fc.nat(20).map((from): Step => ({ kind: "send", wish: say("r", id(from)), now: 0 })),
      fc.constant<Step>({ kind: "send", wish: { kind: "again" }, now: 0 }),
      fc.constant<Step>({ kind: "refused", wish: say("s"), problem: null, now: 0 }),
      fc.constant<Step>({ kind: "left" }),
      fc.nat(3).map((number): Step => ({
        kind: "events",
        now: 0,
        events: [
          {
            kind: "start",
            user: message(30 + 2 * number, "user", "s"),
            answer: id(31 + 2 * number),
            turnsCut: 0,
          },
          { kind: "delta", text: "d" },
        ],
      })),
      fc.nat(3).map((number): Step => ({
        kind: "events",
        now: 0,
        events: [
          { kind: "message", message: message(31 + 2 * number, "assistant", "d"), conversation: talk() },
        ],
      })),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), steps => {
        const ids = walk(steps).messages.map(({ id: one }) => one);
        expect(ids).toEqual([...new Set(ids)].sort());
      }),
      { numRuns: 500 },
    );
  });
});

describe("a conversation without a title", () => {
  it("is called by what was first said in it, until the gateway tells its title", () => {
    const nameless = conversationOf({ id: "c", model: "m" });
    const begun = walk([
      { kind: "changed", conversation: nameless },
      { kind: "send", wish: say(" Of\npumps "), now: 0 },
      {
        kind: "events",
        now: 0,
        events: [{ kind: "start", user: message(1, "user", " Of\npumps "), answer: id(2), turnsCut: 0 }],
      },
    ]);
    expect(begun.conversation?.title).toBe("Of pumps");
  });
});

describe("the events of an answer", () => {
  it("are read, and others passed over", () => {
    expect(eventOf({ name: "start", data: { user: null, answer: id(3), turns_cut: 1, model: "m" } })).toEqual(
      {
        kind: "start",
        user: null,
        answer: id(3),
        turnsCut: 1,
      },
    );
    expect(eventOf({ name: "wait", data: { state: "odd", seconds: null } })).toEqual({
      kind: "wait",
      state: "queued",
      seconds: null,
    });
    expect(eventOf({ name: "ping", data: {} })).toBeNull();
    const error = eventOf({
      name: "error",
      data: { error: "e", code: "limit", retryAfter: 4, message: null },
    });
    expect(error).toMatchObject({ kind: "error", message: null, problem: { kind: "limit", retryAfter: 4 } });
  });
});
