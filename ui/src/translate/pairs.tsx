/** Segments side by side: what matches what, what the service doubts, and one more try for a single one. */
import { Icon } from "../parts/icon";
import { useSpeech } from "../words/speak";
import type { Job, Segment } from "./job";
import { markWords } from "./result-pane";
import { directionOf } from "./tongues";

interface Props {
  readonly job: Job;
  readonly current: number | null;
  readonly onCurrent: (segment: Segment) => void;
  /** Null while nothing can be asked. */
  readonly onAgain: ((index: number) => void) | null;
}

export function Pairs({ job, current, onCurrent, onAgain }: Props) {
  const { words } = useSpeech();
  const source = job.detected?.language ?? job.wish?.source ?? "auto";
  const target = job.wish?.target ?? "";
  return (
    <section className="pane pairs" aria-label={words.view.segments}>
      <div className="pair pair-head" aria-hidden="true">
        <span />
        <span>{words.view.source}</span>
        <span>{words.view.target}</span>
        <span />
      </div>
      {job.segments.length === 0 && <p className="hint">{words.result.empty}</p>}
      <ol>
        {job.segments.map(segment => (
          <li
            key={segment.index}
            className={segment.index === current ? "pair current" : "pair"}
            onClick={() => onCurrent(segment)}
          >
            <PairNumber segment={segment} current={segment.index === current} onCurrent={onCurrent} />
            <p lang={source === "auto" ? undefined : source} dir={directionOf(source)}>
              {segment.source}
            </p>
            <Target segment={segment} target={target} />
            <button
              type="button"
              className="quiet icon"
              aria-label={words.view.retry(segment.index + 1)}
              title={words.view.retry(segment.index + 1)}
              disabled={onAgain === null}
              onClick={() => onAgain?.(segment.index)}
            >
              <Icon name="again" />
            </button>
          </li>
        ))}
      </ol>
    </section>
  );
}

function PairNumber({
  segment,
  current,
  onCurrent,
}: {
  segment: Segment;
  current: boolean;
  onCurrent: Props["onCurrent"];
}) {
  const { words, count } = useSpeech();
  const number = segment.index + 1;
  return (
    <button
      type="button"
      className="quiet number"
      aria-label={words.view.segment(number)}
      aria-pressed={current}
      onClick={event => {
        event.stopPropagation();
        onCurrent(segment);
      }}
    >
      {count(number)}
    </button>
  );
}

function Target({ segment, target }: { segment: Segment; target: string }) {
  const { words } = useSpeech();
  return (
    <div>
      {segment.text === "" ? (
        <p className="hint">{words.view.pending}</p>
      ) : (
        <p lang={target} dir={directionOf(target)} className={segment.state}>
          {segment.text}
        </p>
      )}
      {segment.marks.length > 0 && (
        <ul className="marks">
          {segment.marks.map(mark => (
            <li key={mark}>
              <Icon name="flag" />
              {markWords(mark, words.marks)}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
