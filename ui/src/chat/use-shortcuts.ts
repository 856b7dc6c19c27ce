/** The keys of the room. By place on the keyboard, not by letter: Option turns letters into others on a Mac. */
import { useEffect, useRef } from "react";

export type Deed = "stop" | "new" | "search" | "say" | "copy" | "help";

/** As the list of shortcuts shows them, and in its order. */
export const KEYS = {
  send: ["Enter"],
  line: ["Shift", "Enter"],
  stop: ["Esc"],
  last: ["↑"],
  new: ["Alt", "Shift", "N"],
  search: ["Alt", "Shift", "K"],
  say: ["Alt", "Shift", "E"],
  copy: ["Alt", "Shift", "C"],
  help: ["?"],
} as const;

const BY_CODE: Readonly<Record<string, Deed>> = {
  KeyN: "new",
  KeyK: "search",
  KeyE: "say",
  KeyC: "copy",
};

type Pressed = Pick<KeyboardEvent, "key" | "code" | "ctrlKey" | "metaKey" | "altKey" | "shiftKey">;

/** Which deed a key stands for, if any. */
export function deedOf(
  { key, code, ctrlKey, metaKey, altKey, shiftKey }: Pressed,
  typing: boolean,
): Deed | null {
  if (key === "Escape") return "stop";
  if (altKey && shiftKey && !ctrlKey && !metaKey) return BY_CODE[code] ?? null;
  return key === "?" && !typing ? "help" : null;
}

/** Sends on Enter, but neither with Shift nor while an input method composes: there Enter chooses a word. */
export function sends(event: Pick<KeyboardEvent, "key" | "shiftKey" | "isComposing" | "keyCode">): boolean {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return false;
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- Safari tells by nothing else that this Enter ended a composition
  return event.keyCode !== 229;
}

/** Several components listen, each to its own deeds. */
export function useShortcuts(deeds: Partial<Record<Deed, () => void>>): void {
  const latest = useRef(deeds);
  useEffect(() => {
    latest.current = deeds;
  });
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (event.isComposing || event.defaultPrevented || document.querySelector("dialog[open]") !== null)
        return;
      const typing = event.target instanceof HTMLElement && event.target.matches("input, textarea, select");
      const deed = deedOf(event, typing);
      const act = deed === null ? undefined : latest.current[deed];
      if (act === undefined) return;
      if (deed !== "stop") event.preventDefault();
      act();
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);
}
