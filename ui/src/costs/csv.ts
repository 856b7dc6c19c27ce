/** Figures as CSV that any spreadsheet reads, and that no spreadsheet takes for formulas. */
import { dsvFormat } from "d3-dsv";

import type { Costs } from "../api/costs";

type Cell = string | number | null;

/**
 * How a cell begins that a spreadsheet may run, also in the full width that Japanese ones take; by OWASP's page on CSV
 * injection.
 */
const FORMULA = /^\s*[=+\-@＝＋－＠]|^[\t\r\n]/;

/** A text that others chose stays a text; a number is written as one. */
const written = (cell: Cell) =>
  cell === null ? "" : typeof cell === "string" && FORMULA.test(cell) ? `'${cell}` : String(cell);

/** With the mark by which Excel knows that it is UTF-8. */
export function csv(rows: readonly (readonly Cell[])[]): string {
  return `\uFEFF${dsvFormat(",").formatRows(rows.map(row => row.map(written)))}\n`;
}

/** Amazon's figures, a line for each day and service; without them our own, a line for each day. */
export function daysCsv({ explorer, estimate, currency }: Costs): string {
  if (explorer !== null) {
    const lines = explorer.days.flatMap(({ day, services }) =>
      services.map(({ service, amount }) => [day, service, amount, currency]),
    );
    return csv([["day", "service", "amount", "currency"], ...lines]);
  }
  return csv([
    ["day", "requests", "prompt_tokens", "output_tokens", "gpu_seconds", "estimated_amount", "currency"],
    ...estimate.days.map(one => [
      one.day,
      one.requests,
      one.prompt,
      one.output,
      one.gpu,
      one.amount,
      currency,
    ]),
  ]);
}

export function peopleCsv({ estimate, currency, month }: Costs): string {
  return csv([
    [
      "month",
      "principal",
      "model",
      "requests",
      "prompt_tokens",
      "output_tokens",
      "gpu_seconds",
      "estimated_amount",
      "currency",
    ],
    ...estimate.people.map(one => [
      month,
      one.principal,
      one.model,
      one.requests,
      one.prompt,
      one.output,
      one.gpu,
      one.amount,
      currency,
    ]),
  ]);
}
