/** Every language says everything, and every problem has its sentence. */
import { describe, expect, it } from "vitest";

import { Problem, type Kind, mayRetry, problemOf, problemOfAnswer, sentences } from "../../src/api/problem";
import { catalogue, tongueFor, tongues } from "../../src/words/catalogue";
import { en } from "../../src/words/en";
import { speechFor } from "../../src/words/speak";

/** Every sentence of a catalogue by its path, functions called with small numbers. */
function said(words: object, path = ""): [string, string][] {
  return Object.entries(words).flatMap(([key, value]: [string, unknown]): [string, string][] => {
    const here = path === "" ? key : `${path}.${key}`;
    if (typeof value === "string") return [[here, value]];
    if (typeof value === "function")
      return [[here, String((value as (...args: unknown[]) => unknown)(3, 4))]];
    return said(value as object, here);
  });
}

describe("the catalogue", () => {
  it.each(tongues)("says something everywhere: %s", tongue => {
    const words = catalogue[tongue];
    expect(said(words).map(([path]) => path)).toEqual(said(en).map(([path]) => path));
    for (const [path, text] of said(words)) expect(text, path).toMatch(/\S/);
  });

  it("is really translated", () => {
    const english = new Map(said(en));
    const same = said(catalogue.ja).filter(([path, text]) => english.get(path) === text);
    expect(same).toEqual([]);
  });

  it("goes by the browser's languages", () => {
    expect(tongueFor(["ja-JP", "en"])).toBe("ja");
    expect(tongueFor(["fr-FR", "ja"])).toBe("ja");
    expect(tongueFor(["fr"])).toBe("en");
    expect(tongueFor([])).toBe("en");
  });

  it("writes durations as people say them", () => {
    expect([0.2, 59.5, 60, 125, 3600, 14_726].map(en.duration)).toEqual([
      "1 s",
      "60 s",
      "1 min 0 s",
      "2 min 5 s",
      "1 h 0 min",
      "4 h 5 min",
    ]);
  });

  it("names languages in the language of the page", () => {
    expect(speechFor("ja").languageName("de")).toBe("ドイツ語");
    expect(speechFor("en").languageName("not a code", "Klingon")).toBe("Klingon");
  });
});

describe("a refusal", () => {
  const answer = (status: number, body = '{"error":"inner words"}', fields: Record<string, string> = {}) =>
    problemOfAnswer(status, new Headers(fields), body);

  it.each([
    [400, "invalid"],
    [401, "expired"],
    [403, "denied"],
    [404, "missing"],
    [408, "offline"],
    [409, "invalid"],
    [413, "tooLarge"],
    [415, "fileKind"],
    [429, "limit"],
    [500, "internal"],
    [502, "upstream"],
    [503, "overloaded"],
    [504, "tooLate"],
    [418, "internal"],
  ] satisfies [number, Kind][])("of status %i is %s", (status, kind) => {
    expect(answer(status).kind).toBe(kind);
  });

  it("of a model is told from one of a route", () => {
    expect(answer(404, '{"error":"model \'x\' not found; try another"}').kind).toBe("model");
    expect(answer(404, '{"error":"there is no such route here"}').kind).toBe("missing");
  });

  it("of a conversation tells a closed one from one that is written to elsewhere", () => {
    const said = (error: string) => answer(409, JSON.stringify({ error })).kind;
    expect(said("this conversation is closed; open it again")).toBe("closed");
    expect(said("this conversation is being written to elsewhere; wait")).toBe("elsewhere");
    expect(answer(409, "").kind).toBe("elsewhere");
  });

  it("says when to try again, and who it was", () => {
    const problem = answer(429, "", { "retry-after": "9", "x-request-id": "r1" });
    expect([problem.retryAfter, problem.reference]).toEqual([9, "r1"]);
    expect(answer(503).retryAfter).toBeNull();
    expect(answer(503, "", { "retry-after": "soon" }).retryAfter).toBeNull();
  });

  it("shows the gateway's words only where they help, and never a proxy's page", () => {
    expect(sentences(answer(429), en)).toEqual([en.problems.limit]);
    expect(sentences(answer(403), en)).toEqual([en.problems.denied, "The service says: inner words"]);
    expect(sentences(answer(500, "<html>", { "x-request-id": "r2" }), en)).toEqual([
      en.problems.internal,
      "Reference for the people who run it: r2",
    ]);
  });

  it("is not tried again in vain", () => {
    const vain: Kind[] = [
      "denied",
      "expired",
      "tooLarge",
      "fileKind",
      "invalid",
      "missing",
      "gone",
      "closed",
    ];
    const kinds: Kind[] = [...vain, "limit", "overloaded", "waking", "upstream", "cut", "offline"];
    expect(kinds.filter(kind => !mayRetry(new Problem(kind)))).toEqual(vain);
  });

  it("of the network is told from a fault of ours", () => {
    expect(problemOf(new TypeError("Failed to fetch")).kind).toBe("offline");
    expect(problemOf(new RangeError("bug")).kind).toBe("internal");
  });
});
