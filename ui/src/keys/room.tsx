/** API keys: who has one, a new one (shown once), and the end of one. */
import { type SubmitEvent, useState } from "react";

import { type Key, createKey, keys, revokeKey } from "../api/fleet";
import { Confirm, Dialog } from "../parts/dialog";
import { useDeed, useLoad, useNow } from "../parts/load";
import { ProblemNotice } from "../parts/notice";
import { useSurroundings } from "../shell/surroundings";
import { useSpeech } from "../words/speak";

export default function KeysRoom() {
  const { words } = useSpeech();
  const { door } = useSurroundings();
  const { value, problem, reload } = useLoad("keys", () => keys(door));
  return (
    <div className="room">
      <h1>{words.keys.title}</h1>
      <CreateForm onCreated={reload} />
      {problem !== null && <ProblemNotice problem={problem} onRetry={reload} />}
      {value !== null &&
        (value.length === 0 ? (
          <p className="hint">{words.keys.none}</p>
        ) : (
          <List list={value} onGone={reload} />
        ))}
    </div>
  );
}

/** Days that a key is good for, unless somebody says otherwise. */
const DAYS = 90;

function CreateForm({ onCreated }: { onCreated: () => void }) {
  const { words } = useSpeech();
  const { door } = useSurroundings();
  const { busy, problem, forgive, act } = useDeed();
  const [owner, setOwner] = useState("");
  const [roles, setRoles] = useState("");
  const [days, setDays] = useState(DAYS);
  const [made, setMade] = useState<string | null>(null);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const listed = roles
      .split(",")
      .map(role => role.trim())
      .filter(role => role !== "");
    act(async () => setMade(await createKey(door, owner.trim(), listed, days * 86_400)), onCreated);
  };
  return (
    <form className="card" onSubmit={submit}>
      <h2>{words.keys.create}</h2>
      <div className="row">
        <label>
          {words.keys.owner}
          <input required value={owner} maxLength={200} onChange={event => setOwner(event.target.value)} />
        </label>
        <label>
          {words.keys.roles}
          <input
            value={roles}
            maxLength={200}
            placeholder={words.keys.rolesHint}
            onChange={event => setRoles(event.target.value)}
          />
        </label>
        <label>
          {words.keys.days}
          <input
            type="number"
            required
            min={1}
            max={3650}
            value={days}
            onChange={event => setDays(event.target.valueAsNumber)}
          />
        </label>
        <button className="primary" disabled={busy}>
          {words.keys.make}
        </button>
      </div>
      {problem !== null && <ProblemNotice problem={problem} onClose={forgive} />}
      {made !== null && <Shown secret={made} onClose={() => setMade(null)} />}
    </form>
  );
}

function Shown({ secret, onClose }: { secret: string; onClose: () => void }) {
  const { words } = useSpeech();
  const [copied, setCopied] = useState(false);
  return (
    <Dialog title={words.keys.create} onClose={onClose}>
      <p>{words.keys.shownOnce}</p>
      <p className="row">
        <code className="secret">{secret}</code>
        <button
          type="button"
          onClick={() =>
            void navigator.clipboard.writeText(secret).then(
              () => setCopied(true),
              () => setCopied(false),
            )
          }
        >
          {copied ? words.result.copied : words.result.copy}
        </button>
      </p>
    </Dialog>
  );
}

function List({ list, onGone }: { list: readonly Key[]; onGone: () => void }) {
  const { words } = useSpeech();
  return (
    <section className="card">
      <div className="scroll" tabIndex={0} role="group" aria-label={words.keys.title}>
        <table>
          <thead>
            <tr>
              <th scope="col">{words.keys.owner}</th>
              <th scope="col">{words.keys.id}</th>
              <th scope="col">{words.keys.roles}</th>
              <th scope="col">{words.keys.created}</th>
              <th scope="col">{words.keys.expires}</th>
              <th scope="col">{words.keys.state}</th>
              <td />
            </tr>
          </thead>
          <tbody>
            {list.map(key => (
              <Line key={key.id} entry={key} onGone={onGone} />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Line({ entry, onGone }: { entry: Key; onGone: () => void }) {
  const { words, moment } = useSpeech();
  const { door } = useSurroundings();
  const { busy, problem, forgive, act } = useDeed();
  const [asking, setAsking] = useState(false);
  const now = useNow(false);
  const over = entry.expires !== null && entry.expires * 1000 < now;
  return (
    <tr>
      <th scope="row" className="name">
        {entry.owner}
        {entry.actsAs !== null && <p className="hint">{words.keys.actsAs(entry.actsAs)}</p>}
      </th>
      <td>
        <code>{entry.id.slice(0, 12)}</code>
      </td>
      <td>{entry.roles.join(", ")}</td>
      <td>{moment(entry.created)}</td>
      <td>{entry.expires === null ? words.keys.never : moment(entry.expires)}</td>
      <td>{entry.disabled ? words.keys.disabled : over ? words.keys.expired : words.keys.active}</td>
      <td>
        {!entry.disabled && (
          <button type="button" className="quiet" disabled={busy} onClick={() => setAsking(true)}>
            {words.keys.revoke}
          </button>
        )}
        {problem !== null && <ProblemNotice problem={problem} onClose={forgive} />}
        {asking && (
          <Confirm
            title={words.keys.revoke}
            question={words.keys.reallyRevoke(entry.owner)}
            onYes={() => act(() => revokeKey(door, entry.id), onGone)}
            onClose={() => setAsking(false)}
          />
        )}
      </td>
    </tr>
  );
}
