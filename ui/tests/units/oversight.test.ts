/** The rules behind the administrators' rooms: sums of a month, CSV, what is read from outside, what was found. */
import { describe, expect, it } from "vitest";

import { cutBy } from "../../src/admin/excerpt";
import { catalogueOf } from "../../src/api/catalogue";
import { costsOf } from "../../src/api/costs";
import { rightAfter } from "../../src/api/moderation";
import { csv, daysCsv } from "../../src/costs/csv";
import { against, barsOf, beyondWork, courseOf, daysIn, daysOf, spent, totalOf } from "../../src/costs/sums";

describe("a month", () => {
  it("has its days, leap years too", () => {
    expect(["2026-11", "2028-02", "2027-02", "2026-12", "nonsense"].map(daysIn)).toEqual([
      30, 29, 28, 31, 31,
    ]);
  });

  it("grows from nothing, whatever the order of its days", () => {
    const bars = [
      { day: "2026-11-03", parts: [2] },
      { day: "2026-11-01", parts: [1, 4] },
    ];
    expect(courseOf(bars)).toEqual([
      [0, 0],
      [1, 5],
      [3, 7],
    ]);
    expect(courseOf([])).toEqual([[0, 0]]);
  });

  it("spreads what belongs to no day, so that it ends at the whole", () => {
    const days = [
      { day: "2026-11-01", amount: 1 },
      { day: "2026-11-02", amount: 2 },
    ];
    const estimated = costsOf({ estimate: { gpu_hour: 1, amount: 9, days } });
    expect(beyondWork(estimated)).toBe(6);
    expect(courseOf(daysOf(estimated).bars.bars, 6)).toEqual([
      [0, 0],
      [1, 4],
      [2, 9],
    ]);
    expect(beyondWork(costsOf({ estimate: { gpu_hour: 1, amount: 2, days } }))).toBe(0);
    expect(beyondWork(costsOf({ explorer: { days: [] }, estimate: { gpu_hour: 1, amount: 9, days } }))).toBe(
      0,
    );
  });

  it("is held against a budget only where both are known", () => {
    expect(against(150, 100)).toEqual({ share: 1.5, over: 50 });
    expect(against(50, 100)).toEqual({ share: 0.5, over: 0 });
    expect([against(null, 100), against(50, null), against(50, 0)]).toEqual([null, null, null]);
  });
});

describe("services", () => {
  const day = (amounts: Record<string, number>) => ({
    day: "2026-11-01",
    services: Object.entries(amounts).map(([service, amount]) => ({ service, amount })),
  });

  it("stand with the dearest first, the many small ones as one, and nothing is lost", () => {
    const { names, bars } = barsOf([day({ a: 1, b: 2, c: 3, d: 4, e: 5, f: 6, g: 7 }), day({ a: 9 })]);
    expect(names).toEqual(["a", "g", "f", "e", "d", ""]);
    expect(bars.map(({ parts }) => parts)).toEqual([
      [1, 7, 6, 5, 4, 5],
      [9, 0, 0, 0, 0, 0],
    ]);
    expect(bars.map(totalOf)).toEqual([28, 9]);
  });

  it("have colours of their own up to six", () => {
    expect(barsOf([day({ a: 6, b: 5, c: 4, d: 3, e: 2, f: 1 })]).names).toEqual([
      "a",
      "b",
      "c",
      "d",
      "e",
      "f",
    ]);
  });
});

describe("costs", () => {
  it("are read also where the answer says little", () => {
    const little = costsOf({});
    expect(little).toMatchObject({ currency: "USD", explorer: null, explorerError: null, budget: null });
    expect([spent(little), daysOf(little).kind]).toEqual([null, "gpu"]);
  });

  it("are drawn from Amazon's figures, else from the estimate, else in hours", () => {
    const days = [{ day: "2026-11-01", gpu_seconds: 7200, amount: 1.5 }];
    const estimate = { gpu_hour: 0.75, days };
    const explorer = { days: [{ day: "2026-11-01", services: [{ service: "x", amount: 9 }] }] };
    expect(daysOf(costsOf({ estimate, explorer })).bars.bars[0]?.parts).toEqual([9]);
    expect(daysOf(costsOf({ estimate })).bars.bars[0]?.parts).toEqual([1.5]);
    expect(daysOf(costsOf({ estimate: { days } })).bars.bars[0]?.parts).toEqual([2]);
  });
});

describe("CSV", () => {
  it.each([
    ["=1+1", "'=1+1"],
    ["+1", "'+1"],
    ["-1", "'-1"],
    ["@x", "'@x"],
    [" =1", "' =1"],
    ["＝1", "'＝1"],
    ["\t1", "'\t1"],
    ["key#=1", "key#=1"],
    ["田中", "田中"],
  ])("keeps the text %j from being run", (text, written) => {
    expect(csv([[text]])).toBe(`\uFEFF${written}\n`);
  });

  it("quotes what needs it, and leaves numbers alone, a credit too", () => {
    expect(csv([['a "b", c', "two\nlines", -1.25, null]])).toBe('\uFEFF"a ""b"", c","two\nlines",-1.25,\n');
  });

  it("has a line for each day and service", () => {
    const services = [
      { service: "EC2", amount: 1 },
      { service: "=S3", amount: -0.5 },
    ];
    const value = costsOf({ explorer: { days: [{ day: "2026-11-01", services }] } });
    expect(daysCsv(value)).toBe(
      "\uFEFFday,service,amount,currency\n2026-11-01,EC2,1,USD\n2026-11-01,'=S3,-0.5,USD\n",
    );
  });
});

describe("the catalogue", () => {
  it("takes no address that a browser runs, and no answer that it does not know", () => {
    const { offers, node } = catalogueOf({
      models: [
        { name: "m", source: "javascript:alert(1)", fits: { memory: "perhaps" }, languages: ["many"] },
        { name: "n", title: "N", source: "https://x.example", languages: ["de"], here: true },
      ],
    });
    expect(offers[0]).toMatchObject({ title: "m", source: "", languages: null, here: false });
    expect(offers[0]?.fits).toEqual({ memory: "unknown", disk: "unknown", sentence: "" });
    expect(offers[1]).toMatchObject({
      title: "N",
      source: "https://x.example",
      languages: ["de"],
      here: true,
    });
    expect(node).toEqual({ instance: null, gpuMemory: null, diskFree: null, asOf: null });
  });
});

describe("what was found", () => {
  it("is marked whatever the case, and signs are no pattern", () => {
    expect(cutBy("A (b) and a (B).", "a (b)")).toEqual([
      { text: "A (b)", hit: true },
      { text: " and ", hit: false },
      { text: "a (B)", hit: true },
      { text: ".", hit: false },
    ]);
    expect(cutBy("text", "")).toEqual([{ text: "text", hit: false }]);
  });

  it("is the last of what comes before the next id", () => {
    expect(rightAfter("1795240800000000")).toBe("1795240800000001");
    expect(rightAfter("0000000000000099")).toBe("0000000000000100");
    expect(rightAfter("not an id")).toBeNull();
  });
});
