/** Glossaries as values: read from and written to CSV, put together, and cut to what a text needs. */
import { dsvFormat } from "d3-dsv";

import type { Term } from "../api/translation";

/** Terms that one request may carry; a limit of the API. */
export const TERMS_PER_REQUEST = 200;

/** Rows as spreadsheets save them, by comma, semicolon or tab. */
export function termsIn(csv: string): readonly Term[] {
  const text = csv.replace(/^\uFEFF/, "");
  // parseRows, never parse: that one builds code from a text, which the page's policy forbids.
  const rows = dsvFormat(separatorOf(text)).parseRows(text);
  const terms = rows.map(([source = "", target = ""]) => ({ source: source.trim(), target: target.trim() }));
  return terms.filter(
    ({ source, target }, row) => source !== "" && target !== "" && !(row === 0 && isHeading(source, target)),
  );
}

/** As CSV, with the mark by which Excel knows that it is UTF-8. */
export function csvOf(terms: readonly Term[]): string {
  const rows = [["source", "target"], ...terms.map(({ source, target }) => [source, target])];
  return `\uFEFF${dsvFormat(",").formatRows(rows)}\n`;
}

/** The separator that the first line has most of. */
function separatorOf(text: string): string {
  const line = text.split(/\r?\n/, 1)[0] ?? "";
  const many = (separator: string) => line.split(separator).length;
  return [",", ";", "\t"].reduce((best, separator) => (many(separator) > many(best) ? separator : best));
}

function isHeading(source: string, target: string): boolean {
  return /^(source|term|用語|原文)$/i.test(source) && /^(target|translation|訳語|訳文)$/i.test(target);
}

export interface Merged {
  readonly terms: readonly Term[];
  readonly added: number;
  readonly changed: number;
}

/** Old terms with new ones put over them: a term has one translation. */
export function merge(old: readonly Term[], fresh: readonly Term[]): Merged {
  const bySource = new Map(old.map(term => [term.source, term.target]));
  let added = 0;
  let changed = 0;
  for (const { source, target } of fresh) {
    const before = bySource.get(source);
    if (before === undefined) added += 1;
    else if (before !== target) changed += 1;
    bySource.set(source, target);
  }
  return { terms: [...bySource].map(([source, target]) => ({ source, target })), added, changed };
}

/** Those terms that occur in a text, in upper or lower case, as many as a request may carry. */
export function needed(
  terms: readonly Term[],
  text: string,
): { readonly terms: readonly Term[]; readonly more: boolean } {
  const lower = text.toLocaleLowerCase();
  const found = terms.filter(
    ({ source, target }) => source !== "" && target !== "" && lower.includes(source.toLocaleLowerCase()),
  );
  return { terms: found.slice(0, TERMS_PER_REQUEST), more: found.length > TERMS_PER_REQUEST };
}
