/** Which language is spoken, and how numbers and times are written in it, for every component. */
import { createContext, use } from "react";

import { catalogue, type Tongue, type Words } from "./catalogue";

/** The words of one language and its ways to write numbers, sizes and times. */
export interface Speech {
  readonly tongue: Tongue;
  readonly words: Words;
  readonly count: (value: number) => string;
  readonly bytes: (value: number) => string;
  /** Seconds since 1970, as date and time. */
  readonly moment: (seconds: number) => string;
  /** Seconds since 1970, as hours and minutes. */
  readonly clock: (seconds: number) => string;
  /** The name of a language, by its code; the service's own name where the browser knows none. */
  readonly languageName: (code: string, otherwise?: string) => string;
}

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];

/** Everything that depends on the language the page speaks. */
export function speechFor(tongue: Tongue): Speech {
  const number = new Intl.NumberFormat(tongue, { maximumFractionDigits: 1 });
  const moment = new Intl.DateTimeFormat(tongue, { dateStyle: "medium", timeStyle: "short" });
  const clock = new Intl.DateTimeFormat(tongue, { timeStyle: "short" });
  const names = new Intl.DisplayNames(tongue, { type: "language", fallback: "none" });
  return {
    tongue,
    words: catalogue[tongue],
    count: value => number.format(value),
    bytes: value => {
      const step = value < 1 ? 0 : Math.min(Math.floor(Math.log10(value) / 3), UNITS.length - 1);
      const style = { style: "unit", unit: UNITS[step] ?? "byte", maximumFractionDigits: 1 } as const;
      return new Intl.NumberFormat(tongue, style).format(value / 1000 ** step);
    },
    moment: seconds => moment.format(seconds * 1000),
    clock: seconds => clock.format(seconds * 1000),
    languageName: (code, otherwise) => nameOf(names, code) ?? otherwise ?? code,
  };
}

function nameOf(names: Intl.DisplayNames, code: string): string | undefined {
  try {
    return names.of(code);
  } catch {
    return undefined; // not a code that the standard knows
  }
}

export const SpeechContext = createContext<Speech>(speechFor("en"));

/** The language spoken where the component stands. */
export function useSpeech(): Speech {
  return use(SpeechContext);
}
