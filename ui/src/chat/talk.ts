/**
 * One conversation and its way to the gateway. It lives longer than what shows it: an answer goes on being heard while one
 * looks at another conversation or room.
 */
import {
  type Change,
  type Conversation,
  type Event,
  type Wish,
  change,
  stop,
  view,
  write,
} from "../api/conversations";
import type { Door } from "../api/door";
import { PATIENCE, PAUSE, held, looked } from "../api/patience";
import { Problem, isAbort, problemOf } from "../api/problem";
import { type Step, type Transcript, after, blank, isBusy } from "./transcript";

/** Milliseconds between two looks at the screen: tokens come faster than anybody reads. */
const BATCH = 50;

/** Milliseconds between two looks at an answer that is written where we do not hear it. */
const LOOK = 2_000;

/** Milliseconds after a first answer when its title may be there: the gateway makes it in the background. */
const TITLED = [4_000, 12_000, 40_000];

/** Messages up to which a conversation is so young that its title may still come. */
const YOUNG = 2;

/** Milliseconds that a stopped answer has to end by itself. */
const STOPPED = 8_000;

export class Talk {
  readonly id: string;
  private readonly door: Door;
  /** Told what the gateway did not take, so that nothing typed is lost. */
  private readonly giveBack: (content: string) => void;
  private readonly listeners = new Set<() => void>();
  private readonly timers = new Set<ReturnType<typeof setTimeout>>();
  private state = blank;
  private stream: AbortController | null = null;
  /** A wish of which we do not know whether the gateway has it. */
  private unsure: Wish | null = null;

  constructor(door: Door, id: string, giveBack: (content: string) => void) {
    this.door = door;
    this.id = id;
    this.giveBack = giveBack;
  }

  readonly current = (): Transcript => this.state;

  readonly subscribe = (listener: () => void) => {
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
      if (this.listeners.size === 0) this.rest();
    };
  };

  /** Nobody looks, and nothing comes: it may be forgotten. */
  get idle(): boolean {
    return this.listeners.size === 0 && this.stream === null;
  }

  /** Somebody looks: loads it, or looks whether it is still so. */
  readonly open = () => {
    if (this.stream !== null) return;
    if (this.state.conversation === null) this.tell({ kind: "load", what: "all" });
    void this.look();
  };

  /** It was just made, and is empty: there is nothing to load. */
  begin(conversation: Conversation): void {
    this.tell({ kind: "changed", conversation });
  }

  /** Renames, closes or opens it, or changes what the model is told. */
  readonly change = (wanted: Change) => {
    change(this.door, this.id, wanted).then(
      conversation => this.tell({ kind: "changed", conversation }),
      (error: unknown) => this.fail(error),
    );
  };

  readonly forgive = () => this.tell({ kind: "forgive" });

  /** Loads the messages before those that are there. */
  readonly earlier = () => {
    const { earlier, loading } = this.state;
    if (earlier === null || loading !== null) return;
    this.tell({ kind: "load", what: "earlier" });
    view(this.door, this.id, earlier).then(
      seen => this.tell({ kind: "viewedEarlier", view: seen }),
      (error: unknown) => this.fail(error),
    );
  };

  /** Says something, or asks for the last answer anew. */
  readonly send = (wish: Wish) => {
    if (isBusy(this.state)) return;
    this.rest();
    this.tell({ kind: "send", wish, now: Date.now() });
    void this.run(wish);
  };

  /** Ends the answer, whoever asked for it. What has come is kept. */
  readonly stop = () => {
    if (!isBusy(this.state) || this.state.stopping) return;
    this.tell({ kind: "stopping" });
    if (this.stream !== null && this.state.phase === "sending" && this.unsure === null) {
      // The gateway has nothing of it yet.
      this.stream.abort();
      return;
    }
    stop(this.door, this.id).then(
      () => this.later(STOPPED, () => this.stream?.abort()),
      (error: unknown) => this.fail(error),
    );
  };

  private async run(wish: Wish): Promise<void> {
    const stream = new AbortController();
    this.stream = stream;
    const started = Date.now();
    for (let wanted = wish; ;) {
      const end = await this.once(wanted, stream.signal);
      if (end === "over") break;
      if (end === "left") {
        this.stream = null;
        this.tell({ kind: "left" });
        await this.look();
        return;
      }
      const problem = isAbort(end.error) ? null : await looked(this.door, problemOf(end.error));
      const seconds = problem?.retryAfter ?? PAUSE;
      const patient = Date.now() - started + seconds * 1000 < PATIENCE * 1000;
      if (problem?.kind === "waking" && patient) {
        this.tell({ kind: "hold", seconds, now: Date.now() });
        if (await held(this.door, seconds, stream.signal)) continue;
        this.refuse(wanted, null);
      } else this.refuse(wanted, problem);
      break;
    }
    this.stream = null;
    this.afterwards(stream.signal.aborted);
  }

  /** Asks once: `over` with its end, `left` where the connection broke, or why the gateway did not take it. */
  private async once(wish: Wish, signal: AbortSignal): Promise<"over" | "left" | { error: unknown }> {
    const waiting: Event[] = [];
    const flush = () => {
      if (waiting.length > 0) this.tell({ kind: "events", events: waiting.splice(0), now: Date.now() });
    };
    const timer = setInterval(flush, BATCH);
    let taken = false;
    try {
      for await (const event of write(this.door, this.id, wish, signal)) {
        taken = true;
        this.unsure = event.kind === "start" ? null : event.kind === "taken" ? wish : this.unsure;
        waiting.push(event);
        // A start is shown at once: it says that one was heard.
        if (event.kind === "start") flush();
      }
      return "over";
    } catch (error) {
      return taken ? "left" : { error };
    } finally {
      clearInterval(timer);
      flush();
    }
  }

  private refuse(wish: Wish, problem: Problem | null): void {
    this.tell({ kind: "refused", wish, problem, now: Date.now() });
    if (wish.kind === "say") this.giveBack(wish.content);
  }

  /** What one should see after an answer: what the gateway has where it failed, or the title that the model thinks of. */
  private afterwards(stopped: boolean): void {
    const { problem, conversation } = this.state;
    if (problem !== null || stopped || this.unsure !== null) {
      void this.look();
      return;
    }
    if (conversation !== null && conversation.messages <= YOUNG) {
      for (const milliseconds of TITLED) this.later(milliseconds, () => void this.look());
    }
  }

  /** Looks what the gateway has, and again while an answer is written elsewhere. */
  private async look(): Promise<void> {
    try {
      const seen = await view(this.door, this.id, null);
      if (this.stream !== null) return;
      this.tell({ kind: "viewed", view: seen });
      if (!seen.conversation.busy)
        this.settle(seen.messages.findLast(({ role }) => role === "user")?.content);
    } catch (error) {
      if (this.stream === null && this.state.phase !== "elsewhere") this.fail(error);
    }
    if (this.state.phase === "elsewhere") this.later(LOOK, () => void this.look());
  }

  /** Was the wish that broke off taken? If not, it goes back to where it was typed. */
  private settle(lastSaid: string | undefined): void {
    const wish = this.unsure;
    this.unsure = null;
    if (wish?.kind !== "say" || wish.content === lastSaid) return;
    this.refuse(wish, this.state.problem ?? new Problem("cut"));
  }

  private fail(error: unknown): void {
    if (!isAbort(error)) this.tell({ kind: "fail", problem: problemOf(error), now: Date.now() });
  }

  /** Does something later, if somebody still looks. */
  private later(milliseconds: number, deed: () => void): void {
    if (this.listeners.size === 0) return;
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      deed();
    }, milliseconds);
    this.timers.add(timer);
  }

  private rest(): void {
    for (const timer of this.timers) clearTimeout(timer);
    this.timers.clear();
  }

  private tell(step: Step): void {
    this.state = after(this.state, step);
    for (const listener of this.listeners) listener();
  }
}
