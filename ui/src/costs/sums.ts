/** A month's figures as values: sums, what to draw, how far the budget goes. Nothing here knows the page or the time. */
import type { Costs, SpentDay } from "../api/costs";

/** Days of a `yyyy-mm`; 31 where it is none. */
export function daysIn(month: string): number {
  const [year, number] = month.split("-").map(Number);
  if (year === undefined || number === undefined || Number.isNaN(year + number)) return 31;
  return new Date(Date.UTC(year, number, 0)).getUTCDate();
}

/** The day of the month of a `yyyy-mm-dd`. */
export const dayOf = (day: string) => Number(day.slice(8, 10));

const sum = (amounts: readonly number[]) => amounts.reduce((all, one) => all + one, 0);

/** One bar: a day, and its parts in the order of `Bars.names`. */
export interface Bar {
  readonly day: string;
  readonly parts: readonly number[];
}

export interface Bars {
  /** What the parts are, the dearest first; empty for "others". */
  readonly names: readonly string[];
  readonly bars: readonly Bar[];
}

/** Services with a colour of their own; the cheaper ones share the last. */
export const COLOURS = 5;

/** Days by service, the dearest services first, the many small ones as one. */
export function barsOf(days: readonly SpentDay[]): Bars {
  const totals = new Map<string, number>();
  for (const { service, amount } of days.flatMap(day => day.services))
    totals.set(service, (totals.get(service) ?? 0) + amount);
  const dearest = [...totals].sort((a, b) => b[1] - a[1]).map(([service]) => service);
  const own = dearest.length > COLOURS + 1 ? dearest.slice(0, COLOURS) : dearest;
  const rest = new Set(dearest.slice(own.length));
  const of = (day: SpentDay, wanted: (service: string) => boolean) =>
    sum(day.services.filter(({ service }) => wanted(service)).map(({ amount }) => amount));
  const bars = days.map(day => ({
    day: day.day,
    parts: [
      ...own.map(name => of(day, service => service === name)),
      ...(rest.size > 0 ? [of(day, service => rest.has(service))] : []),
    ],
  }));
  return { names: rest.size > 0 ? [...own, ""] : own, bars };
}

export const totalOf = (bar: Bar) => sum(bar.parts);

/** What Amazon says was spent; null where it says nothing. */
export function spent(costs: Costs): number | null {
  if (costs.explorer === null) return null;
  return sum(costs.explorer.days.flatMap(day => day.services).map(({ amount }) => amount));
}

/** The days that the page draws: Amazon's, else our estimate in money, else in GPU hours. */
export function daysOf(costs: Costs): {
  readonly kind: "explorer" | "estimate" | "gpu";
  readonly bars: Bars;
} {
  if (costs.explorer !== null) return { kind: "explorer", bars: barsOf(costs.explorer.days) };
  const { days, gpuHour } = costs.estimate;
  const kind = gpuHour === null ? "gpu" : "estimate";
  const bars = days.map(({ day, amount, gpu }) => ({
    day,
    parts: [kind === "gpu" ? gpu / 3600 : (amount ?? 0)],
  }));
  return { kind, bars: { names: ["GPU"], bars } };
}

/** A place in the month: its day, from 0 (nothing is spent yet) to the last, and the sum by then. */
export type Step = readonly [day: number, sum: number];

/** How the sum grew. `rest`: what belongs to no day, in equal parts. */
export function courseOf(bars: readonly Bar[], rest = 0): readonly Step[] {
  const sorted = [...bars].sort((a, b) => a.day.localeCompare(b.day));
  const part = rest / Math.max(1, sorted.length);
  return sorted.reduce<Step[]>(
    (steps, bar) => [...steps, [dayOf(bar.day), (steps.at(-1)?.[1] ?? 0) + totalOf(bar) + part]],
    [[0, 0]],
  );
}

/** What our estimate has beyond the work of its days: machines that waited, and what always runs. Never below nothing. */
export function beyondWork({ explorer, estimate }: Costs): number {
  if (explorer !== null || estimate.amount === null) return 0;
  return Math.max(0, estimate.amount - sum(estimate.days.map(({ amount }) => amount ?? 0)));
}

/** How the month ends against the budget; null where one of both is not known. */
export function against(
  forecast: number | null,
  budget: number | null,
): { readonly share: number; readonly over: number } | null {
  if (forecast === null || budget === null || budget <= 0) return null;
  return { share: forecast / budget, over: Math.max(0, forecast - budget) };
}
