/** A conversation as an administrator reads it, the latest part first; and its deletion. */
import { useState } from "react";

import type { Conversation, Message } from "../api/conversations";
import { conversation, removeConversation, rightAfter } from "../api/moderation";
import { Confirm } from "../parts/dialog";
import { useDeed } from "../parts/load";
import { ProblemNotice } from "../parts/notice";
import { usePages } from "../parts/pages";
import { useSurroundings } from "../shell/surroundings";
import { useSpeech } from "../words/speak";
import { SaidLine } from "./message";

/** Which conversation, and the message that a search found in it. */
export interface Which {
  readonly principal: string;
  readonly id: string;
  readonly found: string | null;
}

interface Props {
  readonly which: Which;
  readonly onBack: () => void;
  readonly onRemoved: () => void;
}

export function ViewPart({ which, onBack, onRemoved }: Props) {
  const { words } = useSpeech();
  // Up to what was found, else from the end.
  const [start, setStart] = useState(which.found === null ? null : rightAfter(which.found));
  return (
    <>
      <div className="row">
        <button type="button" className="quiet" onClick={onBack}>
          {words.admin.back}
        </button>
      </div>
      <Pages
        key={start ?? ""}
        which={which}
        start={start}
        onLatest={() => setStart(null)}
        onRemoved={onRemoved}
      />
    </>
  );
}

interface PagesProps extends Pick<Props, "which" | "onRemoved"> {
  readonly start: string | null;
  readonly onLatest: () => void;
}

function Pages({ which, start, onLatest, onRemoved }: PagesProps) {
  const { words } = useSpeech();
  const { door } = useSurroundings();
  const { pages, busy, problem, more, retry } = usePages(
    (before: string | null) => conversation(door, which.principal, which.id, before),
    page => page.earlier,
    start,
  );
  const head = pages.at(-1)?.conversation ?? null;
  const said = pages.toReversed().flatMap(page => page.messages);
  return (
    <>
      <h2 tabIndex={-1} dir="auto" className="name">
        {head === null ? words.admin.parts.people : head.title || words.admin.person.untitled}
      </h2>
      {head !== null && <About head={head} principal={which.principal} onRemoved={onRemoved} />}
      {problem !== null && <ProblemNotice problem={problem} onRetry={retry} />}
      {more !== null && problem === null && (
        <div className="row">
          <button type="button" onClick={more}>
            {words.admin.view.earlier}
          </button>
        </div>
      )}
      {head !== null && said.length === 0 && !busy && <p className="hint">{words.admin.view.empty}</p>}
      <Talk said={said} found={which.found} busy={busy} />
      {start !== null && (
        <div className="row">
          <span className="hint">{words.admin.view.untilFound}</span>
          <button type="button" onClick={onLatest}>
            {words.admin.view.latest}
          </button>
        </div>
      )}
    </>
  );
}

function Talk({ said, found, busy }: { said: readonly Message[]; found: string | null; busy: boolean }) {
  return (
    <ol className="looked-at" aria-busy={busy}>
      {said.map(one => (
        <SaidLine key={one.id} said={one} found={one.id === found} />
      ))}
    </ol>
  );
}

function About({
  head,
  principal,
  onRemoved,
}: {
  head: Conversation;
  principal: string;
  onRemoved: () => void;
}) {
  const { words, count, moment } = useSpeech();
  const facts = [
    [words.admin.view.by, principal],
    [words.admin.view.model, head.model],
    [words.admin.view.began, moment(head.created)],
    [words.admin.view.tokens, `${count(head.promptTokens)} / ${count(head.outputTokens)}`],
  ] as const;
  return (
    <>
      <dl className="facts">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd className="name">{value}</dd>
          </div>
        ))}
      </dl>
      {head.system !== "" && (
        <details>
          <summary>{words.admin.view.system}</summary>
          <p className="as-written" dir="auto">
            {head.system}
          </p>
        </details>
      )}
      <Remove head={head} principal={principal} onRemoved={onRemoved} />
    </>
  );
}

function Remove({
  head,
  principal,
  onRemoved,
}: {
  head: Conversation;
  principal: string;
  onRemoved: () => void;
}) {
  const { words } = useSpeech();
  const { door } = useSurroundings();
  const { busy, problem, forgive, act } = useDeed();
  const [asking, setAsking] = useState(false);
  return (
    <>
      <div className="row">
        <button type="button" className="danger" disabled={busy} onClick={() => setAsking(true)}>
          {words.admin.view.remove}
        </button>
      </div>
      {problem !== null && <ProblemNotice problem={problem} onClose={forgive} />}
      {asking && (
        <Confirm
          title={words.admin.view.remove}
          question={words.admin.view.reallyRemove(head.title || words.admin.person.untitled)}
          onYes={() => act(() => removeConversation(door, principal, head.id), onRemoved)}
          onClose={() => setAsking(false)}
        />
      )}
    </>
  );
}
