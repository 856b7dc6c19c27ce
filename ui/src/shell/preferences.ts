/** What a person likes, kept on the device: the language of the page and its appearance. No text, no token. */
import { type Tongue, tongueFor, tongues } from "../words/catalogue";

export type Look = "auto" | "light" | "dark";
export const looks: readonly Look[] = ["auto", "light", "dark"];

/** Reads a kept word; a browser that keeps nothing is fine. */
export function kept(name: string): string | null {
  try {
    return localStorage.getItem(`page.${name}`);
  } catch {
    return null;
  }
}

/** Keeps a word, if the browser lets us. */
export function keep(name: string, value: string): void {
  try {
    localStorage.setItem(`page.${name}`, value);
  } catch {
    // It holds until the tab closes, then.
  }
}

export function keptTongue(): Tongue {
  const word = kept("tongue");
  return tongues.find(tongue => tongue === word) ?? tongueFor(navigator.languages);
}

export function keptLook(): Look {
  const word = kept("look");
  return looks.find(look => look === word) ?? "auto";
}

/** Shows the page in this language and appearance, and keeps both. */
export function show(tongue: Tongue, look: Look): void {
  document.documentElement.lang = tongue;
  document.documentElement.dataset.look = look;
  keep("tongue", tongue);
  keep("look", look);
}
