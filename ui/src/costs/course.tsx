/** How the month's sum grows, where it leads, and the budget as a level line. */
import type { Costs } from "../api/costs";
import { useSpeech } from "../words/speak";
import { useMoney } from "./money";
import { type Step, beyondWork, courseOf, daysIn, daysOf, totalOf } from "./sums";

/** Units of the drawing; it stretches to whatever room there is. */
const WIDTH = 310;
const HEIGHT = 120;

export function Course({ costs }: { costs: Costs }) {
  const { words } = useSpeech();
  const { kind, bars } = daysOf(costs);
  const rest = beyondWork(costs);
  if (kind === "gpu" || (rest === 0 && bars.bars.every(bar => totalOf(bar) === 0))) return null;
  return (
    <section className="card">
      <h2>{words.costs.course}</h2>
      <Drawn costs={costs} steps={courseOf(bars.bars, rest)} />
      {rest > 0 && <p className="hint">{words.costs.spread}</p>}
    </section>
  );
}

function Drawn({ costs, steps }: { costs: Costs; steps: readonly Step[] }) {
  const { words } = useSpeech();
  const { money } = useMoney(costs.currency);
  const days = daysIn(costs.month);
  const sum = steps.at(-1)?.[1] ?? 0;
  const { budget } = costs;
  const forecast = costs.forecast.amount;
  const most = Math.max(sum, forecast ?? 0, budget ?? 0);
  const place = ([day, value]: Step) =>
    `${((day / days) * WIDTH).toFixed(1)} ${(HEIGHT - 1 - (most <= 0 ? 0 : (Math.max(0, value) / most) * (HEIGHT - 4))).toFixed(1)}`;
  const path = (places: readonly Step[]) =>
    places.map((step, index) => `${index === 0 ? "M" : "L"}${place(step)}`).join("");
  const ahead: readonly Step[] = [steps.at(-1) ?? [0, 0], [days, forecast ?? sum]];
  const label = [
    words.costs.courseLabel(money(sum)),
    forecast === null ? "" : words.costs.courseForecast(money(forecast)),
    budget === null ? "" : words.costs.courseBudget(money(budget)),
  ].join("");
  return (
    <figure className="chart tall">
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={label}>
        {budget !== null && (
          <path
            className="budget"
            d={path([
              [0, budget],
              [days, budget],
            ])}
          />
        )}
        {forecast !== null && <path className="line ahead" d={path(ahead)} />}
        <path className="line" d={path(steps)} />
      </svg>
      <ul className="legend" aria-hidden="true">
        <li>
          <Sample className="line" /> {words.costs.soFar} <strong>{money(sum)}</strong>
        </li>
        {forecast !== null && (
          <li>
            <Sample className="line ahead" /> {words.costs.toEnd} <strong>{money(forecast)}</strong>
          </li>
        )}
        {budget !== null && (
          <li>
            <Sample className="budget" /> {words.costs.budget} <strong>{money(budget)}</strong>
          </li>
        )}
      </ul>
    </figure>
  );
}

const Sample = ({ className }: { className: string }) => (
  <svg className="sample" viewBox="0 0 24 12" width="24" height="12">
    <path className={className} d="M0 6H24" />
  </svg>
);
