/** The history belongs to the person who made it, is found again, and goes when it is told to. */
import "fake-indexeddb/auto";

import { describe, expect, it } from "vitest";

import {
  type Entry,
  forget,
  forgetAll,
  glossary,
  keepGlossary,
  matching,
  remember,
  remembered,
} from "../../src/translate/device";

const entry = (owner: string, q: string): Entry => ({
  owner,
  at: 0,
  source: "en",
  target: "de",
  tone: "neutral",
  q,
  text: `<${q}>`,
});

describe("the history", () => {
  it("is each person's own, newest first, and can be deleted", async () => {
    await remember(entry("ann", "first"));
    await remember(entry("ann", "second"));
    await remember(entry("bob", "other"));
    const [newest] = await remembered("ann");
    expect((await remembered("ann")).map(({ q }) => q)).toEqual(["second", "first"]);
    await forget(newest?.id ?? -1);
    expect((await remembered("ann")).map(({ q }) => q)).toEqual(["first"]);
    await forgetAll("ann");
    expect(await remembered("ann")).toEqual([]);
    expect(await remembered("bob")).toHaveLength(1);
  });

  it("lets the oldest go beyond a thousand", async () => {
    for (let n = 0; n < 1003; n += 1) await remember(entry("eve", String(n)));
    const all = await remembered("eve");
    expect([all.length, all[0]?.q, all.at(-1)?.q]).toEqual([1000, "1002", "3"]);
  });

  it("is searched by every word, in source and translation", () => {
    const entries = [entry("a", "The Red Pump"), entry("a", "The blue pump")];
    expect(matching(entries, "PUMP red")).toEqual([entries[0]]);
    expect(matching(entries, " ")).toEqual(entries);
  });
});

describe("a glossary", () => {
  it("is kept by person and language", async () => {
    await keepGlossary("ann", "ja", [{ source: "pump", target: "ポンプ" }]);
    expect(await glossary("ann", "ja")).toHaveLength(1);
    expect(await glossary("ann", "de")).toEqual([]);
    expect(await glossary("bob", "ja")).toEqual([]);
  });
});
