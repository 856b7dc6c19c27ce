/** One part of the room. It has the focus when it comes: at its heading first, later where one left it. */
import { type ReactNode, useEffect, useRef } from "react";

export function Panel({ shown, children }: { shown: boolean; children: ReactNode }) {
  const panel = useRef<HTMLElement>(null);
  const left = useRef<HTMLElement | null>(null);
  useEffect(() => {
    if (!shown) return;
    const place = left.current?.isConnected === true ? left.current : panel.current?.querySelector("h2");
    place?.focus();
  }, [shown]);
  return (
    <section
      ref={panel}
      className="card"
      hidden={!shown}
      onFocus={event => {
        if (event.target instanceof HTMLElement) left.current = event.target;
      }}
    >
      {children}
    </section>
  );
}
