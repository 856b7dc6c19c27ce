/** The models of the fleet: what is there, what is on its way to which node, what to add or delete, what runs well. */
import { type SubmitEvent, useState } from "react";

import { type Fleet, type Model, models, removeModel } from "../api/fleet";
import { Confirm } from "../parts/dialog";
import { useDeed, useLoad } from "../parts/load";
import { ProblemNotice } from "../parts/notice";
import { useSurroundings } from "../shell/surroundings";
import { useSpeech } from "../words/speak";
import { CatalogueCard } from "./catalogue";
import { shareOf, usePull } from "./use-pull";

/** Milliseconds between two looks. */
const EVERY = 15_000;

export default function ModelsRoom() {
  const { words } = useSpeech();
  const { door, fleet } = useSurroundings();
  const { value, problem, reload } = useLoad("models", () => models(door), EVERY);
  return (
    <div className="room">
      <h1>{words.models.title}</h1>
      <PullForm onPulled={reload} />
      {problem !== null && <ProblemNotice problem={problem} onRetry={reload} />}
      {fleet !== null && <OnTheWay fleet={fleet} />}
      {value !== null && <List list={value} fleet={fleet} onGone={reload} />}
      <CatalogueCard onPulled={reload} />
    </div>
  );
}

function PullForm({ onPulled }: { onPulled: () => void }) {
  const { words } = useSpeech();
  const { busy, problem, forgive, line, start } = usePull();
  const [name, setName] = useState("");
  const share = shareOf(line);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    start(name.trim(), () => {
      setName("");
      onPulled();
    });
  };
  return (
    <form className="card" onSubmit={submit}>
      <h2>{words.models.pull}</h2>
      <div className="row">
        <label>
          {words.models.pullName}
          <input
            required
            value={name}
            maxLength={200}
            spellCheck={false}
            onChange={event => setName(event.target.value)}
          />
        </label>
        <button className="primary" disabled={busy}>
          {words.models.pullGo}
        </button>
      </div>
      {busy && share !== null && <progress aria-label={name} value={share} />}
      <p role="status">
        {busy && line !== null
          ? words.models.pulling(line.status)
          : !busy && line !== null && problem === null
            ? words.models.pulled
            : ""}
      </p>
      {problem !== null && <ProblemNotice problem={problem} onClose={forgive} />}
    </form>
  );
}

function OnTheWay({ fleet }: { fleet: Fleet }) {
  const { words } = useSpeech();
  const states: Readonly<Record<string, string>> = {
    waiting: words.models.waiting,
    pulling: words.models.wanted,
    present: words.models.onNode,
    failed: words.models.failed,
  };
  if (fleet.wanted.length === 0) return null;
  return (
    <section className="card">
      <h2>{words.models.wanted}</h2>
      <ul className="plain">
        {fleet.wanted.map(({ name, progress }) => (
          <li key={name}>
            <strong>{name}</strong>
            <ul className="plain">
              {progress.map(({ node, state, completed, total }) => (
                <li key={node} className="row">
                  <span>{node}</span>
                  <span>{states[state] ?? state}</span>
                  {total > 0 && (
                    <progress aria-label={words.models.progress(name, node)} value={completed} max={total} />
                  )}
                </li>
              ))}
            </ul>
          </li>
        ))}
      </ul>
    </section>
  );
}

function List({ list, fleet, onGone }: { list: readonly Model[]; fleet: Fleet | null; onGone: () => void }) {
  const { words } = useSpeech();
  if (list.length === 0) return <p className="hint">{words.models.none}</p>;
  return (
    <section className="card">
      <div className="scroll" tabIndex={0} role="group" aria-label={words.models.title}>
        <table>
          <thead>
            <tr>
              <th scope="col">{words.models.name}</th>
              <th scope="col">{words.models.size}</th>
              <th scope="col">{words.models.changed}</th>
              <th scope="col">{words.models.loaded}</th>
              <td />
            </tr>
          </thead>
          <tbody>
            {list.map(model => (
              <Line key={model.name} model={model} fleet={fleet} onGone={onGone} />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Line({ model, fleet, onGone }: { model: Model; fleet: Fleet | null; onGone: () => void }) {
  const { words, bytes, moment } = useSpeech();
  const { door } = useSurroundings();
  const { busy, problem, act, forgive } = useDeed();
  const [asking, setAsking] = useState(false);
  const changed = Date.parse(model.modified);
  const on = (fleet?.nodes ?? [])
    .filter(node => node.models.includes(model.name))
    .map(node => node.name ?? "");
  return (
    <tr>
      <th scope="row">{model.name}</th>
      <td>{bytes(model.bytes)}</td>
      <td>{Number.isNaN(changed) ? "" : moment(changed / 1000)}</td>
      <td>{on.join(", ")}</td>
      <td>
        <button type="button" className="quiet" disabled={busy} onClick={() => setAsking(true)}>
          {words.models.remove}
        </button>
        {problem !== null && <ProblemNotice problem={problem} onClose={forgive} />}
        {asking && (
          <Confirm
            title={words.models.remove}
            question={words.models.reallyRemove(model.name)}
            onYes={() => act(() => removeModel(door, model.name), onGone)}
            onClose={() => setAsking(false)}
          />
        )}
      </td>
    </tr>
  );
}
