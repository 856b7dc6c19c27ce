/**
 * What one is typing, conversation by conversation: kept in memory, over a sign-in in the tab only, and gone with it. Apart
 * from the room, since the shell drops it on sign-out.
 */

const NAME = "page.chat";

let drafts: ReadonlyMap<string, string> = new Map(left());
const listeners = new Set<() => void>();

/** The draft of a conversation, by whose it is and which. */
export const draftOf = (key: string): string => drafts.get(key) ?? "";

/** Notes a draft; an empty one is none. */
export function noteDraft(key: string, text: string): void {
  const changed = new Map(drafts);
  if (text === "") changed.delete(key);
  else changed.set(key, text);
  tell(changed);
}

export function followDrafts(listener: () => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/** On sign-out nothing of them stays. */
export function dropDrafts(): void {
  tell(new Map());
  try {
    sessionStorage.removeItem(NAME);
  } catch {
    // Nothing was kept, then.
  }
}

/** The way to the issuer leaves the page: drafts wait in the tab's session storage until it is back. */
export function keepDraftsOverSignIn(): void {
  addEventListener("pagehide", () => {
    try {
      if (drafts.size > 0) sessionStorage.setItem(NAME, JSON.stringify([...drafts]));
    } catch {
      // A browser that keeps nothing, or a text too long for it.
    }
  });
}

function tell(changed: ReadonlyMap<string, string>): void {
  drafts = changed;
  for (const listener of listeners) listener();
}

function left(): [string, string][] {
  try {
    const kept: unknown = JSON.parse(sessionStorage.getItem(NAME) ?? "[]");
    sessionStorage.removeItem(NAME);
    return Array.isArray(kept) ? kept.filter(isDraft) : [];
  } catch {
    return [];
  }
}

function isDraft(entry: unknown): entry is [string, string] {
  return Array.isArray(entry) && typeof entry[0] === "string" && typeof entry[1] === "string";
}
