/** The days of the month as bars, a colour for each service, and as a table. */
import type { Costs } from "../api/costs";
import { save } from "../parts/save";
import { useSpeech } from "../words/speak";
import { daysCsv } from "./csv";
import { useMoney } from "./money";
import { type Bars, dayOf, daysIn, daysOf, totalOf } from "./sums";

/** Units of the drawing; it stretches to whatever room there is. */
const HEIGHT = 120;
const STEP = 10;

export function Days({ costs }: { costs: Costs }) {
  const { words } = useSpeech();
  const { kind, bars } = daysOf(costs);
  const nothing = bars.bars.every(bar => totalOf(bar) === 0);
  const titles = {
    explorer: words.costs.days,
    estimate: words.costs.estimatedDays,
    gpu: words.costs.gpuDays,
  };
  const download = () =>
    save(new Blob([daysCsv(costs)], { type: "text/csv;charset=utf-8" }), `costs-${costs.month}-days.csv`);
  return (
    <section className="card">
      <div className="row spread">
        <h2>{titles[kind]}</h2>
        {!nothing && (
          <button type="button" onClick={download}>
            {words.costs.csvDays}
          </button>
        )}
      </div>
      {nothing ? (
        <p className="hint">{words.costs.nothing}</p>
      ) : (
        <Drawn costs={costs} bars={bars} inMoney={kind !== "gpu"} title={titles[kind]} />
      )}
    </section>
  );
}

interface DrawnProps {
  readonly costs: Costs;
  readonly bars: Bars;
  readonly inMoney: boolean;
  readonly title: string;
}

function Drawn({ costs, bars, inMoney, title }: DrawnProps) {
  const { words, count } = useSpeech();
  const { money } = useMoney(costs.currency);
  const amount = inMoney ? money : count;
  const totals = bars.bars.map(totalOf);
  const sum = totals.reduce((all, one) => all + one, 0);
  const most = Math.max(...totals);
  return (
    <>
      <figure className="chart tall">
        <Stacks
          bars={bars}
          days={daysIn(costs.month)}
          most={most}
          label={words.costs.barsLabel(count(bars.bars.length), amount(sum), amount(most))}
          amount={amount}
        />
        <div className="chart-foot" aria-hidden="true">
          <span>1</span>
          <span>{amount(most)} max</span>
          <span>{daysIn(costs.month)}</span>
        </div>
      </figure>
      {bars.names.length > 1 && <Legend bars={bars} amount={amount} />}
      <DaysTable costs={costs} bars={bars} amount={amount} title={title} />
    </>
  );
}

interface StacksProps {
  readonly bars: Bars;
  /** Of the month. */
  readonly days: number;
  readonly most: number;
  readonly label: string;
  readonly amount: (value: number) => string;
}

function Stacks({ bars: { names, bars }, days, most, label, amount }: StacksProps) {
  const { words } = useSpeech();
  // A credit has no height: it stands in the table.
  const height = (value: number) => (most <= 0 ? 0 : (Math.max(0, value) / most) * (HEIGHT - 2));
  return (
    <svg viewBox={`0 0 ${days * STEP} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={label}>
      {bars.map(({ day, parts }) =>
        parts.map((part, index) => {
          const name = names[index] ?? "";
          const below = parts.slice(0, index).reduce((sum, one) => sum + height(one), 0);
          return (
            <rect
              key={`${day} ${name}`}
              className={`colour-${index}`}
              x={(dayOf(day) - 1) * STEP + 1}
              y={HEIGHT - below - height(part)}
              width={STEP - 2}
              height={height(part)}
            >
              <title>{`${day} · ${name === "" ? words.costs.others : name}: ${amount(part)}`}</title>
            </rect>
          );
        }),
      )}
    </svg>
  );
}

function Legend({ bars: { names, bars }, amount }: { bars: Bars; amount: (value: number) => string }) {
  const { words } = useSpeech();
  const total = (index: number) => bars.reduce((sum, { parts }) => sum + (parts[index] ?? 0), 0);
  return (
    <ul className="legend">
      {names.map((name, index) => (
        <li key={name}>
          <svg viewBox="0 0 12 12" width="12" height="12" aria-hidden="true">
            <rect className={`colour-${index}`} width="12" height="12" rx="2" />
          </svg>
          {name || words.costs.others} <strong>{amount(total(index))}</strong>
        </li>
      ))}
    </ul>
  );
}

interface TableProps extends Pick<DrawnProps, "costs" | "bars" | "title"> {
  readonly amount: (value: number) => string;
}

function DaysTable({ costs, bars: { names, bars }, amount, title }: TableProps) {
  const { words } = useSpeech();
  const { day } = useMoney(costs.currency);
  return (
    <details>
      <summary>{words.costs.table}</summary>
      <div className="scroll" tabIndex={0} role="group" aria-label={title}>
        <table>
          <thead>
            <tr>
              <th scope="col">{words.costs.day}</th>
              {names.length > 1 &&
                names.map(name => (
                  <th scope="col" key={name}>
                    {name || words.costs.others}
                  </th>
                ))}
              <th scope="col">{words.costs.total}</th>
            </tr>
          </thead>
          <tbody>
            {bars.map(bar => (
              <tr key={bar.day}>
                <th scope="row">{day(bar.day)}</th>
                {names.length > 1 && bar.parts.map((part, index) => <td key={index}>{amount(part)}</td>)}
                <td>{amount(totalOf(bar))}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
