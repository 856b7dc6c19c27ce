/** What the fleet costs this month: Amazon's own figures where they are asked for, and the gateway's estimate. */
import { type Door, ask } from "./door";
import { number, numberOrNull, object, objects, text } from "./read";

export interface Service {
  readonly service: string;
  readonly amount: number;
}

export interface SpentDay {
  /** `yyyy-mm-dd`, as UTC counts days. */
  readonly day: string;
  readonly services: readonly Service[];
}

/** Cost Explorer's figures. */
export interface Explorer {
  /** When they were asked for, in seconds since 1970. */
  readonly asOf: number;
  /** The tag that they are of, as `key=value`. */
  readonly tag: string;
  readonly days: readonly SpentDay[];
}

interface Work {
  readonly requests: number;
  readonly prompt: number;
  readonly output: number;
  /** GPU seconds. */
  readonly gpu: number;
  /** Null: no price is set. */
  readonly amount: number | null;
}

export interface WorkDay extends Work {
  readonly day: string;
}

export interface WorkOf extends Work {
  readonly principal: string;
  /** Null: not known. */
  readonly model: string | null;
}

export interface Costs {
  readonly currency: string;
  /** `yyyy-mm` */
  readonly month: string;
  readonly explorer: Explorer | null;
  /** Why there are no figures of Amazon's though they are wanted. */
  readonly explorerError: string | null;
  readonly estimate: {
    /** Price of an hour. */
    readonly gpuHour: number | null;
    readonly gpuHours: number;
    /** Hours that machines ran; else only those that requests worked are known. */
    readonly lived: boolean;
    /** All of it: hours, and the part so far of what a month costs anyway. */
    readonly amount: number | null;
    readonly fixedMonth: number | null;
    /** The work of requests alone, as is that of people: what machines waited is in `amount` only. */
    readonly days: readonly WorkDay[];
    readonly people: readonly WorkOf[];
  };
  readonly forecast: { readonly amount: number | null; readonly byExplorer: boolean };
  readonly budget: number | null;
}

/** `GET /fleet/costs`. */
export async function costs(door: Door, signal?: AbortSignal): Promise<Costs> {
  return costsOf(await ask(door, "/fleet/costs", { signal }));
}

export function costsOf(value: unknown): Costs {
  const fields = object(value);
  const estimate = object(fields.estimate);
  const forecast = object(fields.forecast);
  return {
    currency: text(fields.currency, "USD"),
    month: text(fields.month),
    explorer: fields.explorer == null ? null : explorerOf(fields.explorer),
    explorerError: text(fields.explorer_error) || null,
    estimate: {
      gpuHour: numberOrNull(estimate.gpu_hour),
      gpuHours: number(estimate.gpu_hours),
      lived: estimate.gpu_hours_are === "lived",
      amount: numberOrNull(estimate.amount),
      fixedMonth: numberOrNull(estimate.fixed_month),
      days: objects(estimate.days).map(day => ({ day: text(day.day), ...workOf(day) })),
      people: objects(estimate.people).map(person => ({
        principal: text(person.principal),
        model: text(person.model) || null,
        ...workOf(person),
      })),
    },
    forecast: { amount: numberOrNull(forecast.amount), byExplorer: forecast.basis === "explorer" },
    budget: numberOrNull(fields.budget),
  };
}

function explorerOf(value: unknown): Explorer {
  const fields = object(value);
  return {
    asOf: number(fields.as_of),
    tag: text(fields.tag),
    days: objects(fields.days).map(day => ({
      day: text(day.day),
      services: objects(day.services).map(one => ({
        service: text(one.service),
        amount: number(one.amount),
      })),
    })),
  };
}

const workOf = (fields: Readonly<Record<string, unknown>>): Work => ({
  requests: number(fields.requests),
  prompt: number(fields.prompt_tokens),
  output: number(fields.output_tokens),
  gpu: number(fields.gpu_seconds),
  amount: numberOrNull(fields.amount),
});
