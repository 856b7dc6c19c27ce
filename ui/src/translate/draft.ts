/** What one is working on: kept over a sign-in, in the tab only, and gone with it. */
import type { Tone } from "../api/translation";
import { keep, kept } from "../shell/preferences";

export interface Draft {
  readonly text: string;
  readonly source: string;
  readonly target: string;
  readonly tone: Tone;
}

const NAME = "page.draft";

let draft: Draft | null = null;

/** The draft as it was left, or a new one with the languages of last time. */
export function startingDraft(): Draft {
  draft ??= {
    text: textLeft(),
    source: kept("source") ?? "auto",
    target: kept("target") ?? "",
    tone: "neutral",
  };
  return draft;
}

/** Notes the draft as it is now. */
export function noteDraft(now: Draft): void {
  draft = now;
  keep("source", now.source);
  if (now.target !== "") keep("target", now.target);
}

/** On sign-out nothing of it stays. */
export function dropDraft(): void {
  draft = null;
  try {
    sessionStorage.removeItem(NAME);
  } catch {
    // Nothing was kept, then.
  }
}

/** The way to the issuer leaves the page: the text waits in the tab's session storage until it is back. */
export function keepDraftOverSignIn(): void {
  addEventListener("pagehide", () => {
    try {
      if (draft !== null && draft.text !== "") sessionStorage.setItem(NAME, draft.text);
    } catch {
      // A browser that keeps nothing, or a text too long for it.
    }
  });
}

function textLeft(): string {
  try {
    const text = sessionStorage.getItem(NAME) ?? "";
    sessionStorage.removeItem(NAME);
    return text;
  } catch {
    return "";
  }
}
