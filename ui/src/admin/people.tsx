/** Everybody who has used the fleet: when, how much, and whether they are shut out. */
import { useState } from "react";

import type { Somebody } from "../api/moderation";
import type { Loaded } from "../parts/load";
import { ProblemNotice } from "../parts/notice";
import { useSpeech } from "../words/speak";

/** Lines shown at first, and added by each asking for more. */
const LINES = 100;

interface Props {
  readonly everybody: Loaded<readonly Somebody[]>;
  readonly onLook: (principal: string) => void;
}

export function PeoplePart({ everybody: { value, problem, reload }, onLook }: Props) {
  const { words } = useSpeech();
  const [filter, setFilter] = useState("");
  const [lines, setLines] = useState(LINES);
  const wanted = filter.trim().toLocaleLowerCase();
  const like = (value ?? [])
    .filter(({ principal }) => principal.toLocaleLowerCase().includes(wanted))
    .sort((a, b) => (b.seen ?? 0) - (a.seen ?? 0) || b.requests - a.requests);
  return (
    <>
      <h2 tabIndex={-1}>{words.admin.people.title}</h2>
      {problem !== null && <ProblemNotice problem={problem} onRetry={reload} />}
      {value !== null && value.length > 0 && (
        <label className="narrow">
          {words.admin.people.filter}
          <input type="search" value={filter} onChange={event => setFilter(event.target.value)} />
        </label>
      )}
      {value !== null && like.length === 0 && (
        <p className="hint">{value.length === 0 ? words.admin.people.none : words.admin.people.noneLike}</p>
      )}
      {like.length > 0 && <Table people={like.slice(0, lines)} onLook={onLook} />}
      {like.length > lines && (
        <div className="row">
          <button type="button" onClick={() => setLines(lines + LINES)}>
            {words.admin.people.more}
          </button>
        </div>
      )}
    </>
  );
}

function Table({ people, onLook }: { people: readonly Somebody[]; onLook: (principal: string) => void }) {
  const { words, count, moment } = useSpeech();
  const heads = [
    words.admin.people.person,
    words.admin.people.seen,
    words.people.requests,
    words.people.prompt,
    words.people.output,
    words.people.gpu,
    words.admin.people.state,
  ];
  return (
    <div className="scroll" tabIndex={0} role="group" aria-label={words.admin.people.title}>
      <table>
        <thead>
          <tr>
            {heads.map(head => (
              <th scope="col" key={head}>
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {people.map(({ principal, seen, requests, prompt, output, gpu, denied }) => (
            <tr key={principal}>
              <th scope="row" className="name">
                <button
                  type="button"
                  className="link"
                  aria-label={words.admin.people.lookOf(principal)}
                  onClick={() => onLook(principal)}
                >
                  {principal}
                </button>
              </th>
              <td className="when">{seen === null ? words.admin.people.never : moment(seen)}</td>
              <td>{count(requests)}</td>
              <td>{count(prompt)}</td>
              <td>{count(output)}</td>
              <td>{words.duration(Math.round(gpu))}</td>
              <td>
                {denied ? (
                  <strong className="chip broken">{words.admin.people.denied}</strong>
                ) : (
                  words.admin.people.allowed
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
