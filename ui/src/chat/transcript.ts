/**
 * One conversation as it stands on the screen, as a value: what is loaded of it, what is being written, what went wrong.
 * Pure; time comes in as milliseconds.
 */
import type { Conversation, Event, Message, View, Wish } from "../api/conversations";
import type { Problem } from "../api/problem";
import type { Wait } from "../parts/wait-line";

/**
 * `sending`: our wish is on its way. `writing`: our answer comes. `elsewhere`: an answer is written that we do not hear,
 * because another window asked for it or our connection broke.
 */
export type Phase = "idle" | "sending" | "writing" | "elsewhere";

/** What the last answer came to, for the ear. */
export type Outcome = "done" | "stopped" | "broken";

export interface Transcript {
  /** Null: not yet loaded. */
  readonly conversation: Conversation | null;
  /** Oldest first. */
  readonly messages: readonly Message[];
  /** Where the messages before these begin; null: these are all. */
  readonly earlier: string | null;
  readonly loading: "all" | "earlier" | null;
  readonly phase: Phase;
  readonly stopping: boolean;
  readonly wait: Wait | null;
  readonly outcome: Outcome | null;
  readonly problem: Problem | null;
  /** When the problem came, so that its countdown has a beginning. */
  readonly failedAt: number;
  /** What the gateway did not take, to be tried again. */
  readonly refused: Wish | null;
  /** The messages before our wish, in case it is refused. */
  readonly undone: readonly Message[] | null;
}

export const blank: Transcript = {
  conversation: null,
  messages: [],
  earlier: null,
  loading: null,
  phase: "idle",
  stopping: false,
  wait: null,
  outcome: null,
  problem: null,
  failedAt: 0,
  refused: null,
  undone: null,
};

/** Ids until the gateway names some: behind all of its own. */
export const OURS = { user: "~1", answer: "~2" } as const;

/** What happens to a transcript. */
export type Step =
  | { readonly kind: "load"; readonly what: "all" | "earlier" }
  | { readonly kind: "viewed"; readonly view: View }
  | { readonly kind: "viewedEarlier"; readonly view: View }
  | { readonly kind: "changed"; readonly conversation: Conversation }
  | { readonly kind: "send"; readonly wish: Wish; readonly now: number }
  | { readonly kind: "events"; readonly events: readonly Event[]; readonly now: number }
  | { readonly kind: "hold"; readonly seconds: number; readonly now: number }
  | { readonly kind: "stopping" }
  | { readonly kind: "left" }
  /** The gateway did not take the wish; without a problem where the person took it back. */
  | {
      readonly kind: "refused";
      readonly wish: Wish;
      readonly problem: Problem | null;
      readonly now: number;
    }
  | { readonly kind: "fail"; readonly problem: Problem; readonly now: number }
  | { readonly kind: "forgive" };

/** The transcript after a step. */
export function after(before: Transcript, step: Step): Transcript {
  switch (step.kind) {
    case "load":
      return { ...before, loading: step.what, problem: null };
    case "viewed":
      return viewed(before, step.view);
    case "viewedEarlier":
      return withEarlier(before, step.view);
    case "changed":
      return { ...before, conversation: step.conversation };
    case "send":
      return sent(before, step.wish, step.now);
    case "events":
      return step.events.reduce((sofar, event) => heard(sofar, event, step.now), before);
    case "hold":
      return { ...before, wait: { state: "waking", until: step.now + step.seconds * 1000 } };
    case "stopping":
      return { ...before, stopping: true };
    case "left":
      return { ...before, phase: "elsewhere", wait: null, undone: null };
    case "refused":
      return {
        ...calm(before),
        messages: before.undone ?? before.messages.filter(message => !isOurs(message)),
        problem: step.problem,
        failedAt: step.now,
        refused: step.problem === null ? null : step.wish,
      };
    case "fail":
      return { ...before, loading: null, stopping: false, problem: step.problem, failedAt: step.now };
    case "forgive":
      return { ...before, problem: null, refused: null };
  }
}

const calm = (before: Transcript): Transcript => ({
  ...before,
  phase: "idle",
  stopping: false,
  wait: null,
  undone: null,
});

/** Each message once, as it was heard of last, in their order. */
function ordered(messages: readonly Message[]): readonly Message[] {
  const byId = new Map(messages.map(message => [message.id, message]));
  return [...byId.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

const isOurs = ({ id }: Message) => id.startsWith("~");

/** The newest stretch as the gateway has it. Older messages stay where they join it without a gap. */
function viewed(before: Transcript, { conversation, messages, earlier }: View): Transcript {
  const first = messages[0]?.id;
  const old = before.messages.filter(message => !isOurs(message));
  const joins = first !== undefined && earlier !== null && old.some(({ id }) => id >= first);
  const older = joins ? old.filter(({ id }) => id < first) : [];
  const over = before.phase === "elsewhere" && !conversation.busy;
  return {
    ...calm(before),
    conversation,
    messages: ordered([...older, ...messages]),
    earlier: older.length > 0 ? before.earlier : earlier,
    loading: before.loading === "earlier" ? "earlier" : null,
    problem: before.conversation === null ? null : before.problem,
    phase: conversation.busy ? "elsewhere" : "idle",
    stopping: before.stopping && conversation.busy,
    outcome: over ? outcomeOf(messages.at(-1)) : before.outcome,
  };
}

function withEarlier(before: Transcript, { messages, earlier }: View): Transcript {
  const first = before.messages[0]?.id ?? "~";
  return {
    ...before,
    messages: ordered([...messages.filter(({ id }) => id < first), ...before.messages]),
    earlier,
    loading: null,
  };
}

function sent(before: Transcript, wish: Wish, now: number): Transcript {
  return {
    ...calm(before),
    phase: "sending",
    outcome: null,
    problem: null,
    refused: null,
    undone: before.messages,
    messages: wish.kind === "say" ? said(before.messages, wish, now) : withoutAnswer(before.messages),
  };
}

function said(
  messages: readonly Message[],
  wish: Extract<Wish, { kind: "say" }>,
  now: number,
): readonly Message[] {
  const { content, replaces } = wish;
  const kept = replaces === null ? messages : messages.filter(({ id }) => id < replaces);
  return [
    ...kept.filter(message => !isOurs(message)),
    { ...written(OURS.user), role: "user", content, state: "whole", at: Math.floor(now / 1000) },
  ];
}

/** Without the last answer, if the last message is one. */
function withoutAnswer(messages: readonly Message[]): readonly Message[] {
  return messages.at(-1)?.role === "assistant" ? messages.slice(0, -1) : messages;
}

/** An answer of which nothing has come yet. */
const written = (id: string): Message => ({
  id,
  role: "assistant",
  content: "",
  state: "writing",
  at: 0,
  promptTokens: 0,
  outputTokens: 0,
  seconds: null,
  turnsCut: 0,
});

function heard(before: Transcript, event: Event, now: number): Transcript {
  switch (event.kind) {
    case "taken":
      return { ...before, wait: null };
    case "start":
      return started(before, event, now);
    case "wait": {
      const until = event.seconds === null ? null : now + event.seconds * 1000;
      return { ...before, wait: { state: event.state, until } };
    }
    case "delta":
      return { ...grown(before, event.text), wait: null };
    case "message":
      return {
        ...calm(before),
        messages: ended(before.messages, event.message),
        conversation: event.conversation,
        outcome: outcomeOf(event.message),
      };
    case "error":
      return {
        ...calm(before),
        messages: event.message === null ? cutOff(before.messages) : ended(before.messages, event.message),
        problem: event.problem,
        failedAt: now,
        outcome: "broken",
      };
  }
}

function started(before: Transcript, event: Extract<Event, { kind: "start" }>, now: number): Transcript {
  const { user, answer, turnsCut } = event;
  const kept = before.messages.filter(
    message => message.state !== "writing" && !(user !== null && isOurs(message)) && message.id !== user?.id,
  );
  const beginning = { ...written(answer), turnsCut, at: Math.floor(now / 1000) };
  return {
    ...before,
    conversation: titled(before.conversation, user),
    phase: "writing",
    undone: null,
    messages: ordered(user === null ? [...kept, beginning] : [...kept, user, beginning]),
  };
}

/** Characters of a question that stand for a title until the gateway tells one. */
const HEADING = 200;

/** A conversation without a title is called by what was first said in it, as the gateway calls it. */
function titled(conversation: Conversation | null, user: Message | null): Conversation | null {
  if (conversation?.title !== "" || user === null) return conversation;
  return { ...conversation, title: user.content.trim().replace(/\s+/g, " ").slice(0, HEADING) };
}

function grown(before: Transcript, piece: string): Transcript {
  const last = before.messages.at(-1);
  if (last?.state !== "writing") return before;
  return {
    ...before,
    messages: [...before.messages.slice(0, -1), { ...last, content: last.content + piece }],
  };
}

/** The stored answer takes the place of what came piece by piece. */
function ended(messages: readonly Message[], answer: Message): readonly Message[] {
  return ordered([...messages.filter(({ state }) => state !== "writing"), answer]);
}

/** Nothing was kept: what came is shown until the next look, what did not come is no message. */
function cutOff(messages: readonly Message[]): readonly Message[] {
  return messages
    .filter(({ state, content }) => state !== "writing" || content !== "")
    .map(message => (message.state === "writing" ? { ...message, state: "broken" } : message));
}

function outcomeOf(message: Message | undefined): Outcome {
  return message?.state === "stopped" || message?.state === "broken" ? message.state : "done";
}

/** Is an answer on its way, whoever asked for it? */
export const isBusy = ({ phase }: Transcript): boolean => phase !== "idle";

/** The last answer, if the conversation ends with one that is complete in its way. */
export function lastAnswer({ messages }: Transcript): Message | null {
  const last = messages.at(-1);
  return last?.role === "assistant" && last.state !== "writing" ? last : null;
}

/** Does a question wait for an answer that nobody is writing? */
export function isUnanswered(transcript: Transcript): boolean {
  return transcript.messages.at(-1)?.role === "user" && !isBusy(transcript);
}
