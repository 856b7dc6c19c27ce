/** The fleet now, what operators can tell it, and its last hours. */
import { type SubmitEvent, useState } from "react";

import { type Fleet, type NodeLine, hold, sleep, wake } from "../api/fleet";
import { Confirm } from "../parts/dialog";
import { useDeed } from "../parts/load";
import { ProblemNotice } from "../parts/notice";
import { useSurroundings } from "../shell/surroundings";
import { useSpeech } from "../words/speak";
import { LastHours } from "./last-hours";

export default function FleetRoom() {
  const { words } = useSpeech();
  const { fleet } = useSurroundings();
  return (
    <div className="room">
      <h1>{words.fleet.title}</h1>
      {fleet !== null && <Now fleet={fleet} />}
      <Orders />
      {fleet !== null && <Nodes nodes={fleet.nodes} />}
      <LastHours />
    </div>
  );
}

function Now({ fleet }: { fleet: Fleet }) {
  const { words, count, moment } = useSpeech();
  const phase = words.fleetChip[fleet.phase];
  const figures = [
    [words.fleet.ready, count(fleet.ready)],
    [words.fleet.slots, `${count(fleet.busy)} / ${count(fleet.slots)}`],
    [words.fleet.queued, count(fleet.queued)],
    [words.fleet.oldest, words.duration(fleet.oldestWait)],
  ] as const;
  return (
    <section className="card" aria-label={words.fleet.state}>
      <p>
        <strong className={`chip ${fleet.phase}`}>{phase}</strong>{" "}
        {fleet.since > 0 && words.fleet.since(moment(fleet.since))}. {fleet.reason}
      </p>
      <p>{fleet.expectedWait > 0 ? words.fleet.expected(fleet.expectedWait) : words.fleet.noWait}</p>
      <dl className="figures">
        {figures.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function Orders() {
  const { words } = useSpeech();
  const { door, look } = useSurroundings();
  const { busy, problem, forgive, act } = useDeed();
  const [asking, setAsking] = useState(false);
  const [told, setTold] = useState(false);
  const tell = (order: () => Promise<unknown>) => {
    setTold(false);
    act(order, () => {
      setTold(true);
      look();
    });
  };
  return (
    <section className="card">
      <div className="row">
        <button type="button" disabled={busy} onClick={() => tell(() => wake(door))}>
          {words.fleet.wake}
        </button>
        <button type="button" disabled={busy} onClick={() => setAsking(true)}>
          {words.fleet.sleep}
        </button>
        <HoldForm busy={busy} onHold={(nodes, seconds) => tell(() => hold(door, nodes, seconds))} />
      </div>
      <p role="status">{told ? words.fleet.told : ""}</p>
      {problem !== null && <ProblemNotice problem={problem} onClose={forgive} />}
      {asking && (
        <Confirm
          title={words.fleet.sleep}
          question={words.fleet.reallySleep}
          onYes={() => tell(() => sleep(door))}
          onClose={() => setAsking(false)}
        />
      )}
    </section>
  );
}

function HoldForm({ busy, onHold }: { busy: boolean; onHold: (nodes: number, seconds: number) => void }) {
  const { words } = useSpeech();
  const [nodes, setNodes] = useState(1);
  const [hours, setHours] = useState(2);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    onHold(nodes, Math.round(hours * 3600));
  };
  return (
    <form className="row hold" onSubmit={submit} title={words.fleet.holdAbout}>
      <label>
        {words.fleet.holdNodes}
        <input
          type="number"
          min={1}
          max={100}
          required
          value={nodes}
          onChange={event => setNodes(event.target.valueAsNumber)}
        />
      </label>
      <label>
        {words.fleet.holdHours}
        <input
          type="number"
          min={0.5}
          max={72}
          step={0.5}
          required
          value={hours}
          onChange={event => setHours(event.target.valueAsNumber)}
        />
      </label>
      <button disabled={busy}>{words.fleet.hold}</button>
    </form>
  );
}

function Nodes({ nodes }: { nodes: readonly NodeLine[] }) {
  const { words, count } = useSpeech();
  const states: Readonly<Record<string, string>> = {
    starting: words.fleet.starting,
    loading: words.fleet.loading,
    ready: words.fleet.readyState,
    draining: words.fleet.draining,
  };
  return (
    <section className="card">
      <h2>{words.fleet.nodes}</h2>
      {nodes.length === 0 ? (
        <p className="hint">{words.fleet.noNodes}</p>
      ) : (
        <div className="scroll" tabIndex={0} role="group" aria-label={words.fleet.nodes}>
          <table>
            <thead>
              <tr>
                <th scope="col">{words.fleet.node}</th>
                <th scope="col">{words.fleet.nodeState}</th>
                <th scope="col">{words.fleet.slots}</th>
                <th scope="col">{words.fleet.queued}</th>
                <th scope="col">{words.fleet.inMemory}</th>
              </tr>
            </thead>
            <tbody>
              {nodes.map((node, index) => (
                <tr key={node.name ?? index}>
                  <th scope="row">{node.name ?? count(index + 1)}</th>
                  <td>{states[node.state] ?? node.state}</td>
                  <td>
                    {count(node.busy)} / {count(node.slots)}
                  </td>
                  <td>{count(node.queued)}</td>
                  <td>{node.models.join(", ")}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
