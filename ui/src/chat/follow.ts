/**
 * Where a transcript is scrolled to: at its end, which it follows as it grows, unless one reads further up; then what one
 * reads stays where it is, also when older messages come before it.
 */

/** Pixels from the end within which one counts as being there, and beyond which a way back is offered. */
const NEAR = 60;
const AWAY = 400;

export class Follower {
  private element: HTMLElement | null = null;
  private follows = true;
  private top = 0;
  /** Pixels from the top of the sight to the end: only what comes before changes when older messages do. */
  private fromEnd = 0;
  private first = "";

  /** Watches an element; tells whether one has scrolled far from its end. Gives the end of it. */
  watch(element: HTMLElement, away: (far: boolean) => void): () => void {
    this.element = element;
    const scrolled = () => {
      const left = element.scrollHeight - element.scrollTop - element.clientHeight;
      // Text that grows faster than the browser tells of scrolling is no reason to stop; going upwards is.
      this.follows = left < NEAR || (this.follows && element.scrollTop >= this.top);
      this.top = element.scrollTop;
      this.note();
      away(left > AWAY);
    };
    const grown = new ResizeObserver(() => {
      if (this.follows) this.toEnd();
      else this.note();
    });
    element.addEventListener("scroll", scrolled, { passive: true });
    grown.observe(element);
    for (const child of element.children) grown.observe(child);
    return () => {
      element.removeEventListener("scroll", scrolled);
      grown.disconnect();
      this.element = null;
    };
  }

  toEnd(): void {
    this.follows = true;
    if (this.element !== null) this.element.scrollTop = this.element.scrollHeight;
  }

  /** The messages were drawn, and this is the first of them; before the browser paints. */
  drawn(first: string): void {
    if (this.element !== null) {
      if (this.follows) this.toEnd();
      else if (this.first !== first) this.element.scrollTop = this.element.scrollHeight - this.fromEnd;
    }
    this.first = first;
  }

  private note(): void {
    if (this.element !== null) this.fromEnd = this.element.scrollHeight - this.element.scrollTop;
  }
}
