/** The keys of the room. By place on the keyboard, not by letter: Option turns letters into others on a Mac. */
import { useEffect, useRef } from "react";

export interface Deeds {
  readonly translate: () => void;
  readonly stop: () => void;
  readonly swap: () => void;
  readonly copy: () => void;
  readonly view: () => void;
  readonly source: () => void;
  readonly help: () => void;
}

/** As the list of shortcuts shows them. */
export const KEYS: Readonly<Record<keyof Deeds, readonly string[]>> = {
  translate: ["Ctrl", "Enter"],
  stop: ["Esc"],
  swap: ["Alt", "Shift", "S"],
  copy: ["Alt", "Shift", "C"],
  view: ["Alt", "Shift", "V"],
  source: ["Alt", "Shift", "E"],
  help: ["?"],
};

const BY_CODE: Readonly<Record<string, keyof Deeds>> = {
  KeyS: "swap",
  KeyC: "copy",
  KeyV: "view",
  KeyE: "source",
};

/** Which deed a key stands for, if any. */
export function deedOf(
  event: Pick<KeyboardEvent, "key" | "code" | "ctrlKey" | "metaKey" | "altKey" | "shiftKey">,
  typing: boolean,
): keyof Deeds | null {
  const { key, code, ctrlKey, metaKey, altKey, shiftKey } = event;
  if (key === "Enter" && (ctrlKey || metaKey)) return "translate";
  if (key === "Escape") return "stop";
  if (altKey && shiftKey && !ctrlKey && !metaKey) return BY_CODE[code] ?? null;
  return key === "?" && !typing ? "help" : null;
}

export function useShortcuts(deeds: Deeds): void {
  const latest = useRef(deeds);
  useEffect(() => {
    latest.current = deeds;
  });
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (event.isComposing || document.querySelector("dialog[open]") !== null) return;
      const typing = event.target instanceof HTMLElement && event.target.matches("input, textarea, select");
      const deed = deedOf(event, typing);
      if (deed === null) return;
      if (deed !== "stop") event.preventDefault();
      latest.current[deed]();
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);
}
