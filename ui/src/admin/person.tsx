/** A person's conversations, the newest first; and the end, or return, of what they may do. */
import { type SubmitEvent, useState } from "react";

import type { Conversation } from "../api/conversations";
import { conversations } from "../api/moderation";
import { ProblemNotice } from "../parts/notice";
import { usePages } from "../parts/pages";
import { useSurroundings } from "../shell/surroundings";
import { useSpeech } from "../words/speak";
import { Denial } from "./denial";

interface Props {
  readonly principal: string;
  readonly denied: boolean;
  /** Conversations deleted since. */
  readonly removed: ReadonlySet<string>;
  readonly onOpen: (id: string) => void;
  readonly onBack: () => void;
  readonly onDenied: (denied: boolean) => void;
}

export function PersonPart({ principal, denied, removed, onOpen, onBack, onDenied }: Props) {
  const { words } = useSpeech();
  const [typed, setTyped] = useState("");
  const [search, setSearch] = useState("");
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    setSearch(typed.trim());
  };
  return (
    <>
      <div className="row">
        <button type="button" className="quiet" onClick={onBack}>
          {words.admin.back}
        </button>
      </div>
      <h2 tabIndex={-1} className="name">
        {words.admin.person.title(principal)}
      </h2>
      <Denial principal={principal} denied={denied} onChanged={onDenied} />
      <form className="row" onSubmit={submit} role="search">
        <label>
          {words.admin.person.search}
          <input
            type="search"
            value={typed}
            maxLength={200}
            onChange={event => setTyped(event.target.value)}
          />
        </label>
        <button>{words.admin.person.go}</button>
      </form>
      <List key={search} principal={principal} search={search} removed={removed} onOpen={onOpen} />
    </>
  );
}

interface ListProps extends Pick<Props, "principal" | "removed" | "onOpen"> {
  readonly search: string;
}

function List({ principal, search, removed, onOpen }: ListProps) {
  const { words } = useSpeech();
  const { door } = useSurroundings();
  const { pages, busy, problem, more, retry } = usePages(
    (before: string | null) => conversations(door, principal, search, before),
    page => page.next,
  );
  const heads = pages.flatMap(page => page.conversations).filter(({ id }) => !removed.has(id));
  return (
    <>
      {heads.length > 0 && <Table heads={heads} onOpen={onOpen} />}
      {heads.length === 0 && !busy && problem === null && more === null && (
        <p className="hint" role="status">
          {search === "" ? words.admin.person.none : words.admin.person.noneFound}
        </p>
      )}
      {problem !== null && <ProblemNotice problem={problem} onRetry={retry} />}
      {more !== null && problem === null && (
        <div className="row">
          <button type="button" onClick={more}>
            {words.admin.person.more}
          </button>
        </div>
      )}
    </>
  );
}

function Table({ heads, onOpen }: { heads: readonly Conversation[]; onOpen: (id: string) => void }) {
  const { words, count, moment } = useSpeech();
  const states = (head: Conversation) =>
    [
      head.closed ? words.admin.person.closed : words.admin.person.open,
      ...(head.archived ? [words.admin.person.archived] : []),
    ].join(", ");
  return (
    <div className="scroll" tabIndex={0} role="group" aria-label={words.admin.person.name}>
      <table>
        <thead>
          <tr>
            <th scope="col">{words.admin.person.name}</th>
            <th scope="col">{words.admin.person.model}</th>
            <th scope="col">{words.admin.person.messages}</th>
            <th scope="col">{words.admin.person.updated}</th>
            <th scope="col">{words.admin.person.state}</th>
          </tr>
        </thead>
        <tbody>
          {heads.map(head => (
            <tr key={head.id}>
              <th scope="row">
                <button type="button" className="link" dir="auto" onClick={() => onOpen(head.id)}>
                  {head.title || words.admin.person.untitled}
                </button>
              </th>
              <td>{head.model}</td>
              <td>{count(head.messages)}</td>
              <td className="when">{moment(head.updated)}</td>
              <td>{states(head)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
