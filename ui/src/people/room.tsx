/** Usage: one's own for everybody; everybody's, who is shut out and whose Telegram is linked, for administrators. */
import { type SubmitEvent, useState } from "react";

import { type Day, type Person, allow, denials, deny, usage } from "../api/fleet";
import { Confirm } from "../parts/dialog";
import { useDeed, useLoad } from "../parts/load";
import { ProblemNotice } from "../parts/notice";
import { useSurroundings } from "../shell/surroundings";
import { useSpeech } from "../words/speak";
import { LinkDialog, Telegram } from "./telegram";

export default function PeopleRoom() {
  const { words } = useSpeech();
  const { door, person } = useSurroundings();
  const { value, problem, reload } = useLoad("usage", () => usage(door));
  const [who, setWho] = useState("");
  const [linking, setLinking] = useState<string | null>(null);
  const deeds = person.administers ? { onDeny: setWho, onLink: setLinking } : null;
  return (
    <div className="room">
      <h1>{words.people.title}</h1>
      <section className="card">
        <h2>{person.administers ? words.people.everybody : words.people.mine}</h2>
        {problem !== null && <ProblemNotice problem={problem} onRetry={reload} />}
        {value !== null && <UsageTable people={value} deeds={deeds} />}
      </section>
      {person.administers && <Denials who={who} setWho={setWho} />}
      {person.administers && <Telegram onLink={setLinking} />}
      {linking !== null && <LinkDialog principal={linking} onClose={() => setLinking(null)} />}
    </div>
  );
}

const total = (days: readonly Day[], part: (day: Day) => number) =>
  days.reduce((sum, day) => sum + part(day), 0);

/** What administrators do with a line. */
interface Deeds {
  readonly onDeny: (principal: string) => void;
  readonly onLink: (principal: string) => void;
}

function UsageTable({ people, deeds }: { people: readonly Person[]; deeds: Deeds | null }) {
  const { words, count } = useSpeech();
  const sorted = [...people].sort((a, b) => total(b.days, day => day.gpu) - total(a.days, day => day.gpu));
  if (people.every(({ days }) => days.length === 0)) return <p className="hint">{words.people.none}</p>;
  return (
    <div className="scroll" tabIndex={0} role="group" aria-label={words.people.title}>
      <table>
        <thead>
          <tr>
            <th scope="col">{words.people.person}</th>
            <th scope="col">{words.people.requests}</th>
            <th scope="col">{words.people.prompt}</th>
            <th scope="col">{words.people.output}</th>
            <th scope="col">{words.people.gpu}</th>
            <th scope="col">{words.people.days}</th>
            {deeds !== null && <td />}
          </tr>
        </thead>
        <tbody>
          {sorted.map(({ principal, days }) => (
            <tr key={principal}>
              <th scope="row">{principal}</th>
              <td>{count(total(days, day => day.requests))}</td>
              <td>{count(total(days, day => day.prompt))}</td>
              <td>{count(total(days, day => day.output))}</td>
              <td>{words.duration(Math.round(total(days, day => day.gpu)))}</td>
              <td>
                <Days days={days} />
              </td>
              {deeds !== null && (
                <td>
                  <div className="row tight">
                    <button type="button" className="quiet" onClick={() => deeds.onDeny(principal)}>
                      {words.people.copyName}
                    </button>
                    <button
                      type="button"
                      className="quiet"
                      aria-label={words.links.buttonOf(principal)}
                      onClick={() => deeds.onLink(principal)}
                    >
                      {words.links.button}
                    </button>
                  </div>
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Days shown as bars. */
const SHOWN = 31;

function Days({ days }: { days: readonly Day[] }) {
  const { words, count } = useSpeech();
  const recent = [...days].sort((a, b) => a.day.localeCompare(b.day)).slice(-SHOWN);
  const most = Math.max(1, ...recent.map(day => day.requests));
  const label = recent.map(day => words.people.day(day.day, count(day.requests))).join(", ");
  return (
    <svg className="bars" viewBox={`0 0 ${SHOWN * 4} 24`} role="img" aria-label={label}>
      <title>{label}</title>
      {recent.map((day, index) => {
        const height = Math.max(1, (day.requests / most) * 24);
        return (
          <rect
            key={day.day}
            x={(SHOWN - recent.length + index) * 4}
            y={24 - height}
            width={3}
            height={height}
          />
        );
      })}
    </svg>
  );
}

function Denials({ who, setWho }: { who: string; setWho: (who: string) => void }) {
  const { words, moment } = useSpeech();
  const { door } = useSurroundings();
  const { value, problem, reload } = useLoad("denials", () => denials(door));
  const { busy, problem: failed, forgive, act } = useDeed();
  const trouble = failed ?? problem;
  return (
    <section className="card">
      <h2>{words.people.denials}</h2>
      <DenyForm
        who={who}
        setWho={setWho}
        busy={busy}
        onDeny={reason =>
          act(
            () => deny(door, who.trim(), reason),
            () => {
              setWho("");
              reload();
            },
          )
        }
      />
      {trouble !== null && <ProblemNotice problem={trouble} onRetry={reload} onClose={forgive} />}
      {value?.length === 0 && <p className="hint">{words.people.noDenials}</p>}
      <ul className="plain">
        {(value ?? []).map(denial => (
          <li key={denial.principal} className="row spread">
            <span>
              <strong>{denial.principal}</strong> · {denial.reason} · {words.people.since}:{" "}
              {moment(denial.since)}
            </span>
            <button
              type="button"
              disabled={busy}
              onClick={() => act(() => allow(door, denial.principal), reload)}
            >
              {words.people.allow}
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

interface DenyProps {
  readonly who: string;
  readonly setWho: (who: string) => void;
  readonly busy: boolean;
  readonly onDeny: (reason: string) => void;
}

function DenyForm({ who, setWho, busy, onDeny }: DenyProps) {
  const { words } = useSpeech();
  const [reason, setReason] = useState("");
  const [asking, setAsking] = useState(false);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    setAsking(true);
  };
  return (
    <form className="row" onSubmit={submit}>
      <label>
        {words.people.denyWho}
        <input
          required
          value={who}
          placeholder="issuer#subject, key#owner"
          maxLength={500}
          spellCheck={false}
          onChange={event => setWho(event.target.value)}
        />
      </label>
      <label>
        {words.people.denyWhy}
        <input required value={reason} maxLength={200} onChange={event => setReason(event.target.value)} />
      </label>
      <button className="danger" disabled={busy}>
        {words.people.deny}
      </button>
      {asking && (
        <Confirm
          title={words.people.deny}
          question={words.people.reallyDeny(who)}
          onYes={() => onDeny(reason.trim())}
          onClose={() => setAsking(false)}
        />
      )}
    </form>
  );
}
