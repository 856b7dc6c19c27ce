/** Does something whenever an element is in sight, or nearly: how lists and transcripts load on. */
import { type RefObject, useEffect, useRef } from "react";

/** How far before it is seen. */
const BEFORE = "500px 0px";

/** Calls `seen` each time the element is near the sight while `ready`. */
export function useSight<E extends Element>(seen: () => void, ready: boolean): RefObject<E | null> {
  const place = useRef<E>(null);
  const latest = useRef(seen);
  useEffect(() => {
    latest.current = seen;
  });
  useEffect(() => {
    const element = place.current;
    if (element === null || !ready) return;
    // A margin counts for the scrolling element around it only if that is named.
    const root = element.closest(".talks, .transcript");
    const observer = new IntersectionObserver(
      entries => {
        if (entries.some(entry => entry.isIntersecting)) latest.current();
      },
      { root, rootMargin: BEFORE },
    );
    observer.observe(element);
    return () => observer.disconnect();
  }, [ready]);
  return place;
}
