/** The fleet's past as small charts of the same hours, and as a table for those who cannot see them. */
import { type Point, history } from "../api/fleet";
import { useLoad } from "../parts/load";
import { ProblemNotice } from "../parts/notice";
import { useSurroundings } from "../shell/surroundings";
import { useSpeech } from "../words/speak";
import { Chart } from "./chart";

/** Milliseconds between two looks; the gateway measures no oftener. */
const EVERY = 60_000;

const SERIES = ["nodes", "busy", "queued", "wait", "tokens", "errors"] as const;
type Series = (typeof SERIES)[number];

const VALUES: Readonly<Record<Series, (point: Point) => number>> = {
  nodes: point => point.ready,
  busy: point => point.busy,
  queued: point => point.queued,
  wait: point => point.wait,
  tokens: point => point.tokens,
  errors: point => point.errors,
};

/** Rows of the table: one in so many points, so that six hours stay readable. */
const ROWS = 24;

export function LastHours() {
  const { words } = useSpeech();
  const { door } = useSurroundings();
  const { value, problem, reload } = useLoad("history", () => history(door), EVERY);
  const points = value ?? [];
  return (
    <section className="card">
      <h2>{words.fleet.history}</h2>
      {problem !== null && <ProblemNotice problem={problem} onRetry={reload} />}
      {value !== null && points.length === 0 && <p className="hint">{words.fleet.historyNone}</p>}
      {points.length > 0 && (
        <>
          <div className="charts">
            {SERIES.map(series => (
              <Chart
                key={series}
                name={words.fleet.charts[series]}
                points={points.map(point => [point.at, VALUES[series](point)])}
              />
            ))}
          </div>
          <PastTable points={points} />
        </>
      )}
    </section>
  );
}

function PastTable({ points }: { points: readonly Point[] }) {
  const { words, count, clock } = useSpeech();
  const every = Math.max(1, Math.ceil(points.length / ROWS));
  const rows = points.filter((_, index) => (points.length - 1 - index) % every === 0);
  return (
    <details>
      <summary>{words.fleet.table}</summary>
      <div className="scroll" tabIndex={0} role="group" aria-label={words.fleet.history}>
        <table>
          <thead>
            <tr>
              <th scope="col">{words.fleet.time}</th>
              {SERIES.map(series => (
                <th scope="col" key={series}>
                  {words.fleet.charts[series]}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map(point => (
              <tr key={point.at}>
                <th scope="row">{clock(point.at)}</th>
                {SERIES.map(series => (
                  <td key={series}>{count(VALUES[series](point))}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
