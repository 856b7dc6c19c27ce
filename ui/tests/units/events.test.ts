/** The stream is read right wherever the network cut it, and what is wrong with it is said. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { type Frame, frames } from "../../src/api/door";
import { Problem } from "../../src/api/problem";
import { eventOf } from "../../src/api/translation";

function streamOf(chunks: readonly Uint8Array[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
}

async function read(chunks: readonly Uint8Array[]): Promise<Frame[]> {
  const all: Frame[] = [];
  for await (const frame of frames(streamOf(chunks))) all.push(frame);
  return all;
}

const bytes = (text: string) => new TextEncoder().encode(text);

/** Cuts bytes at the given shares of their length. */
function cut(whole: Uint8Array, shares: readonly number[]): Uint8Array[] {
  const places = [...shares.map(share => Math.floor(share * whole.length)), 0, whole.length].sort(
    (a, b) => a - b,
  );
  return places.slice(1).map((place, index) => whole.slice(places[index], place));
}

const share = fc.double({ min: 0, max: 1, noNaN: true });
const name = fc.constantFrom("start", "delta", "segment", "progress", "final");
const frame = fc.record({
  name,
  data: fc.record({ index: fc.nat(), text: fc.string({ unit: "grapheme" }) }),
});

describe("frames", () => {
  it("are the same wherever the bytes were cut, in the middle of a character too", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(frame),
        fc.array(share, { maxLength: 40 }),
        fc.constantFrom("\n", "\r\n"),
        async (sent, shares, end) => {
          const text = sent
            .map(one =>
              [`event: ${one.name}`, `data: ${JSON.stringify(one.data)}`, "", ": alive", "", ""].join(end),
            )
            .join("");
          expect(await read(cut(bytes(text), shares))).toEqual(sent);
        },
      ),
    );
  });

  it("are not made of comments, and need not end with the stream", async () => {
    expect(await read([bytes(": alive\n\n: alive\n\n")])).toEqual([]);
    expect(await read([bytes('event: delta\ndata: {"index":1}')])).toEqual([]);
  });

  it("end with a problem where one is no JSON", async () => {
    await expect(read([bytes("event: delta\ndata: {half\n\n")])).rejects.toMatchObject({ kind: "cut" });
  });

  it("end with a problem where the connection breaks", async () => {
    const broken = new ReadableStream<Uint8Array>({
      pull: controller => controller.error(new TypeError("network error")),
    });
    await expect(frames(broken).next()).rejects.toMatchObject({ kind: "cut" });
  });

  it("stop the work when nobody listens any more", async () => {
    let cancelled = false;
    const endless = new ReadableStream<Uint8Array>({
      pull: controller => controller.enqueue(bytes('event: delta\ndata: {"index":0}\n\n')),
      cancel: () => void (cancelled = true),
    });
    for await (const one of frames(endless)) {
      expect(one.name).toBe("delta");
      break;
    }
    expect(cancelled).toBe(true);
  });
});

describe("an event", () => {
  it("takes any JSON without breaking", () => {
    const known = ["start", "delta", "reset", "segment", "progress", "wait", "final", "unheard-of"];
    fc.assert(
      fc.property(fc.constantFrom(...known), fc.jsonValue(), (kind, data) => {
        const event = eventOf({ name: kind, data });
        expect(event === null ? kind : event.kind).toBe(kind);
      }),
    );
  });

  it("of an error is thrown with its kind and wait", () => {
    const data = { error: "too many", code: "limit", retryAfter: 7 };
    expect(() => eventOf({ name: "error", data })).toThrow(Problem);
    try {
      eventOf({ name: "error", data });
    } catch (error) {
      expect(error).toMatchObject({ kind: "limit", retryAfter: 7, said: "too many" });
    }
  });
});
