/** What the fleet costs this month: Amazon's figures, our estimate, the forecast and the budget. */
import { type Costs, costs } from "../api/costs";
import { useLoad } from "../parts/load";
import { ProblemNotice } from "../parts/notice";
import { useSurroundings } from "../shell/surroundings";
import { useSpeech } from "../words/speak";
import { Course } from "./course";
import { Days } from "./days";
import { useMoney } from "./money";
import { WorkTable } from "./people";
import { against, spent } from "./sums";

export default function CostsRoom() {
  const { words } = useSpeech();
  const { door } = useSurroundings();
  const { value, problem, reload } = useLoad("costs", signal => costs(door, signal));
  return (
    <div className="room">
      <h1>{words.costs.title}</h1>
      {problem !== null && <ProblemNotice problem={problem} onRetry={reload} />}
      {value !== null && (
        <>
          <Sums costs={value} />
          <Days costs={value} />
          <Course costs={value} />
          <WorkTable costs={value} />
        </>
      )}
    </div>
  );
}

function Sums({ costs }: { costs: Costs }) {
  const { words, count } = useSpeech();
  const { money, month } = useMoney(costs.currency);
  const { estimate, forecast, budget } = costs;
  const amazon = spent(costs);
  const figures = [
    ...(amazon === null ? [] : [[words.costs.spent, money(amazon)] as const]),
    [words.costs.estimated, estimate.amount === null ? words.costs.noPrice : money(estimate.amount)],
    [words.costs.gpuHours, count(estimate.gpuHours)],
    ...(forecast.amount === null ? [] : [[words.costs.forecast, money(forecast.amount)] as const]),
    [words.costs.budget, budget === null ? words.costs.none : money(budget)],
  ] as const;
  return (
    <section className="card">
      <h2>{words.costs.month(month(costs.month))}</h2>
      <dl className="figures">
        {figures.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <Budget costs={costs} />
      <Notes costs={costs} />
    </section>
  );
}

function Budget({ costs }: { costs: Costs }) {
  const { words } = useSpeech();
  const { money, percent } = useMoney(costs.currency);
  const ends = against(costs.forecast.amount, costs.budget);
  const now = against(spent(costs) ?? costs.estimate.amount, costs.budget);
  return (
    <>
      {now !== null && (
        <meter aria-label={words.costs.share} value={Math.min(1, now.share)} high={0.9}>
          {percent(now.share)}
        </meter>
      )}
      {ends !== null && (
        <p className={ends.over > 0 ? "doubt" : ""}>
          {ends.over > 0
            ? words.costs.above(percent(ends.share), money(ends.over))
            : words.costs.within(percent(ends.share))}
        </p>
      )}
    </>
  );
}

/** Where the figures come from, and what they leave out. */
function Notes({ costs }: { costs: Costs }) {
  const { words, moment } = useSpeech();
  const { money } = useMoney(costs.currency);
  const { explorer, explorerError, estimate, forecast } = costs;
  const lines = [
    ...(explorer === null ? [] : [words.costs.asOf(moment(explorer.asOf)), words.costs.tag(explorer.tag)]),
    ...(explorer === null && explorerError === null ? [words.costs.noExplorer] : []),
    ...(forecast.amount === null
      ? []
      : [forecast.byExplorer ? words.costs.byExplorer : words.costs.byEstimate]),
    estimate.gpuHour === null
      ? words.costs.howNoPrice
      : estimate.lived
        ? words.costs.howLived(money(estimate.gpuHour))
        : words.costs.howWorked(money(estimate.gpuHour)),
    ...(estimate.fixedMonth === null ? [] : [words.costs.fixed(money(estimate.fixedMonth))]),
  ];
  return (
    <>
      {explorerError !== null && (
        <div className="notice problem" role="alert">
          <div>
            <p>{words.costs.failed}</p>
            <p>{words.problems.said(explorerError)}</p>
          </div>
        </div>
      )}
      <div className="hint">
        {lines.map(line => (
          <p key={line}>{line}</p>
        ))}
      </div>
    </>
  );
}
