/** The list of conversations as it stands on the screen, as a value: pages joined, changes put in their place. Pure. */
import type { Conversation, Page } from "../api/conversations";
import type { Problem } from "../api/problem";

export interface Listing {
  /** Newest first. */
  readonly rows: readonly Conversation[];
  /** Where the next page begins; null: these are all. */
  readonly next: string | null;
  /** False until the first page has come. */
  readonly there: boolean;
  readonly loading: boolean;
  readonly problem: Problem | null;
}

export const nothing: Listing = { rows: [], next: null, there: false, loading: false, problem: null };

/** What happens to the list. */
export type Step =
  /** Another list is asked for: what is there is of no more use. */
  | { readonly kind: "clear" }
  | { readonly kind: "load" }
  /** The first page, as it is now. */
  | { readonly kind: "first"; readonly page: Page }
  | { readonly kind: "more"; readonly page: Page }
  | { readonly kind: "fail"; readonly problem: Problem }
  /** `only`: if it is in the list already. */
  | { readonly kind: "changed"; readonly conversation: Conversation; readonly only: boolean }
  | { readonly kind: "gone"; readonly id: string };

/** The list after a step. */
export function after(before: Listing, step: Step): Listing {
  switch (step.kind) {
    case "clear":
      return { ...nothing, loading: true };
    case "load":
      return { ...before, loading: true };
    case "first":
      return come(refreshed(before, step.page));
    case "more":
      return come({
        ...before,
        rows: joined(before.rows, step.page.conversations),
        next: step.page.next,
      });
    case "fail":
      return { ...before, loading: false, problem: step.problem };
    case "changed":
      return step.only && !before.rows.some(({ id }) => id === step.conversation.id)
        ? before
        : { ...before, rows: joined(before.rows, [step.conversation]) };
    case "gone":
      return { ...before, rows: before.rows.filter(({ id }) => id !== step.id) };
  }
}

const come = (listing: Listing): Listing => ({ ...listing, there: true, loading: false, problem: null });

/** A new first page: what it should hold and does not is gone; what lies behind it stays, if nothing lies between. */
function refreshed(before: Listing, { conversations, next }: Page): Listing {
  const ids = new Set(conversations.map(({ id }) => id));
  const last = conversations.at(-1);
  const joins = next !== null && last !== undefined && before.rows.some(({ id }) => ids.has(id));
  const behind = joins ? before.rows.filter(row => row.updated < last.updated && !ids.has(row.id)) : [];
  return behind.length === 0
    ? { ...before, rows: conversations, next }
    : { ...before, rows: [...conversations, ...behind] };
}

function joined(rows: readonly Conversation[], changed: readonly Conversation[]): readonly Conversation[] {
  const all = new Map(rows.map(row => [row.id, row]));
  for (const row of changed) all.set(row.id, row);
  return [...all.values()].sort((a, b) => b.updated - a.updated || (a.id < b.id ? -1 : 1));
}
