/** The list of conversations and its way to the gateway: pages, search, looking again. */
import { useCallback, useEffect, useReducer, useRef, useState } from "react";

import { type Conversation, list } from "../api/conversations";
import { isAbort, problemOf } from "../api/problem";
import { useSurroundings } from "../shell/surroundings";
import { type Listing, after, nothing } from "./listing";

/** Milliseconds between two looks for what other windows and devices did. */
const EVERY = 45_000;

/** Milliseconds after a key until the search is asked for. */
const PAUSE = 250;

export interface List extends Listing {
  readonly search: string;
  readonly setSearch: (search: string) => void;
  readonly more: () => void;
  readonly reload: () => void;
  readonly changed: (conversation: Conversation) => void;
  readonly gone: (id: string) => void;
}

export function useListing(): List {
  const { door } = useSurroundings();
  const [search, setSearch] = useState("");
  const asked = useLate(search.trim(), PAUSE);
  const [listing, step] = useReducer(after, nothing);
  const current = useRef<AbortController | null>(null);

  const load = useCallback(
    (before: string | null) => {
      current.current?.abort();
      const stop = new AbortController();
      current.current = stop;
      step({ kind: "load" });
      list(door, asked, before, stop.signal).then(
        page => {
          if (!stop.signal.aborted) step({ kind: before === null ? "first" : "more", page });
        },
        (error: unknown) => {
          if (!stop.signal.aborted && !isAbort(error)) step({ kind: "fail", problem: problemOf(error) });
        },
      );
    },
    [door, asked],
  );
  const reload = useCallback(() => load(null), [load]);
  useEffect(() => {
    step({ kind: "clear" });
    reload();
    return () => current.current?.abort();
  }, [reload]);
  useReturn(reload);
  return {
    ...listing,
    search,
    setSearch,
    more: () => {
      if (listing.next !== null && !listing.loading) load(listing.next);
    },
    reload,
    // A search shows what it found; what changes beside it is no part of it.
    changed: useCallback(
      (conversation: Conversation) => step({ kind: "changed", conversation, only: asked !== "" }),
      [asked],
    ),
    gone: useCallback((id: string) => step({ kind: "gone", id }), []),
  };
}

/** Looks again from time to time, and when the person comes back to the page. */
function useReturn(reload: () => void): void {
  useEffect(() => {
    const look = () => {
      if (document.visibilityState === "visible") reload();
    };
    const timer = setInterval(look, EVERY);
    document.addEventListener("visibilitychange", look);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", look);
    };
  }, [reload]);
}

/** A value, once it has stayed the same for a while. */
function useLate(value: string, milliseconds: number): string {
  const [late, setLate] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setLate(value), milliseconds);
    return () => clearTimeout(timer);
  }, [value, milliseconds]);
  return late;
}
