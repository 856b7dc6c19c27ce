/** Which language the text is in, asked for once the fingers rest. */
import { useEffect, useState } from "react";

import { type Detected, detect } from "../api/translation";
import { useSurroundings } from "../shell/surroundings";

/** Milliseconds without a key until the service is asked. */
const REST = 700;

/** Characters below which a guess is worth nothing. */
const ENOUGH = 12;

/** Characters that are sent: a guess is not better for more of them. */
const SAMPLE = 600;

/** The guess for the text as it is now, or null. Nothing is asked unless `wanted`. */
export function useDetection(text: string, wanted: boolean): Detected | null {
  const { door } = useSurroundings();
  const sample = text.trim().slice(0, SAMPLE);
  const [guess, setGuess] = useState<{ sample: string; detected: Detected | null } | null>(null);
  useEffect(() => {
    if (!wanted || sample.length < ENOUGH) return;
    const stop = new AbortController();
    const timer = setTimeout(() => {
      // Without a guess the page says nothing; the translation detects for itself.
      detect(door, sample, stop.signal).then(
        detected => setGuess({ sample, detected }),
        () => undefined,
      );
    }, REST);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [door, sample, wanted]);
  return wanted && sample.length >= ENOUGH ? (guess?.detected ?? null) : null;
}
