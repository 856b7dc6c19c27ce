/** A glossary survives the way out and back, also by the spreadsheets that people have. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { TERMS_PER_REQUEST, csvOf, merge, needed, termsIn } from "../../src/translate/glossary";

const word = fc
  .string({ unit: "grapheme", minLength: 1 })
  .map(text => text.trim())
  .filter(text => text !== "" && !text.includes("\uFEFF"));
const term = fc.record({ source: word, target: word });

describe("a glossary", () => {
  it("comes back as it went out, whatever is in it", () => {
    fc.assert(
      fc.property(fc.array(term), terms => {
        expect(termsIn(csvOf(terms))).toEqual(terms);
      }),
    );
  });

  it("is read with commas, semicolons and tabs, with and without a heading", () => {
    for (const separator of [",", ";", "\t"]) {
      const rows = [
        ["Term", "Translation"],
        ["pump", "pompe"],
        ["valve", "clapet"],
      ];
      const text = rows.map(row => row.join(separator)).join("\r\n");
      expect(termsIn(text)).toEqual([
        { source: "pump", target: "pompe" },
        { source: "valve", target: "clapet" },
      ]);
    }
  });

  it("leaves out rows that lack one side", () => {
    expect(termsIn("pump,\n,pompe\nalone\n\nvalve,clapet")).toEqual([{ source: "valve", target: "clapet" }]);
  });

  it("takes new translations over old ones", () => {
    const merged = merge(
      [
        { source: "a", target: "1" },
        { source: "b", target: "2" },
      ],
      [
        { source: "b", target: "3" },
        { source: "c", target: "4" },
        { source: "a", target: "1" },
      ],
    );
    expect(merged).toEqual({
      terms: [
        { source: "a", target: "1" },
        { source: "b", target: "3" },
        { source: "c", target: "4" },
      ],
      added: 1,
      changed: 1,
    });
  });

  it("sends only the terms that occur, and no more than a request may carry", () => {
    const terms = [
      { source: "Pump", target: "x" },
      { source: "valve", target: "y" },
      { source: "", target: "z" },
      { source: "pump", target: "" },
    ];
    expect(needed(terms, "the PUMP is red")).toEqual({ terms: [terms[0]], more: false });
    const many = Array.from({ length: TERMS_PER_REQUEST + 1 }, () => ({ source: "e", target: "x" }));
    expect(needed(many, "e")).toMatchObject({ more: true, terms: { length: TERMS_PER_REQUEST } });
  });
});
