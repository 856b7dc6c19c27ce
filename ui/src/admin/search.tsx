/** A search through what was written, of everybody or of one person; the places open where they were found. */
import { type SubmitEvent, useId, useState } from "react";

import { type Finds, type Found, SEARCH, type Somebody, search } from "../api/moderation";
import type { Problem } from "../api/problem";
import { useDeed } from "../parts/load";
import { ProblemNotice } from "../parts/notice";
import { useSurroundings } from "../shell/surroundings";
import { useSpeech } from "../words/speak";
import { cutBy } from "./excerpt";
import type { Which } from "./view";

interface Props {
  /** To choose from. */
  readonly people: readonly Somebody[];
  /** Conversations deleted since. */
  readonly removed: ReadonlySet<string>;
  readonly onOpen: (which: Which) => void;
}

export function SearchPart({ people, removed, onOpen }: Props) {
  const { words } = useSpeech();
  const { door } = useSurroundings();
  const { busy, problem, forgive, act } = useDeed();
  const [finds, setFinds] = useState<{ of: string; finds: Finds } | null>(null);
  const go = (wanted: string, principal: string) => {
    setFinds(null);
    act(async () => setFinds({ of: wanted, finds: await search(door, wanted, principal) }));
  };
  return (
    <>
      <h2 tabIndex={-1}>{words.admin.search.title}</h2>
      <p className="hint">{words.admin.search.about}</p>
      <Form people={people} busy={busy} onGo={go} />
      {problem !== null && <Trouble problem={problem} onClose={forgive} />}
      <p role="status">
        {busy ? words.admin.search.searching : finds === null ? "" : <Sum {...finds.finds} />}
      </p>
      {finds !== null && (
        <ul className="plain">
          {finds.finds.found
            .filter(({ id }) => !removed.has(id))
            .map(found => (
              <Line key={`${found.id} ${found.message}`} found={found} of={finds.of} onOpen={onOpen} />
            ))}
        </ul>
      )}
    </>
  );
}

/** Where the operator has not switched it on, the gateway takes it for a mistake of ours. */
function Trouble({ problem, onClose }: { problem: Problem; onClose: () => void }) {
  const { words } = useSpeech();
  if (!["invalid", "missing", "fileKind"].includes(problem.kind))
    return <ProblemNotice problem={problem} onClose={onClose} />;
  return (
    <div className="notice problem" role="alert">
      <div>
        <p>{words.admin.search.off}</p>
        {problem.said !== null && <p>{words.problems.said(problem.said)}</p>}
      </div>
    </div>
  );
}

function Sum({ found, complete, lookedAt }: Finds) {
  const { words } = useSpeech();
  const said = words.admin.search;
  return (
    <>
      {found.length === 0 ? said.none : said.results(found.length)}{" "}
      {complete ? said.complete(lookedAt) : said.partly(lookedAt)}
    </>
  );
}

interface FormProps {
  readonly people: readonly Somebody[];
  readonly busy: boolean;
  readonly onGo: (wanted: string, principal: string) => void;
}

function Form({ people, busy, onGo }: FormProps) {
  const { words } = useSpeech();
  const known = useId();
  const [wanted, setWanted] = useState("");
  const [who, setWho] = useState("");
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    onGo(wanted.trim(), who.trim());
  };
  return (
    <form className="row" role="search" onSubmit={submit}>
      <label>
        {words.admin.search.words}
        <input
          type="search"
          required
          pattern={`\\s*\\S.{${SEARCH.least - 2},}\\S\\s*`}
          title={words.admin.search.words}
          maxLength={SEARCH.most}
          value={wanted}
          onChange={event => setWanted(event.target.value)}
        />
      </label>
      <label>
        {words.admin.search.who}
        <input
          list={known}
          value={who}
          maxLength={500}
          spellCheck={false}
          onChange={event => setWho(event.target.value)}
        />
      </label>
      <datalist id={known}>
        {people.map(({ principal }) => (
          <option key={principal} value={principal} />
        ))}
      </datalist>
      <button className="primary" disabled={busy}>
        {words.admin.search.go}
      </button>
    </form>
  );
}

function Line({ found, of, onOpen }: { found: Found; of: string; onOpen: (which: Which) => void }) {
  const { words, moment } = useSpeech();
  const { principal, id, title, message, at, excerpt } = found;
  return (
    <li className="found">
      <button
        type="button"
        className="link"
        dir="auto"
        onClick={() => onOpen({ principal, id, found: message })}
      >
        {title || words.admin.person.untitled}
      </button>
      <p className="hint name">
        {principal} · {moment(at)}
      </p>
      <p dir="auto" className="as-written">
        {cutBy(excerpt, of).map(({ text, hit }, index) => (hit ? <mark key={index}>{text}</mark> : text))}
      </p>
    </li>
  );
}
