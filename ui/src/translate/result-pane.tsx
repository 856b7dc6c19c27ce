/** What comes back, as it comes: one text whose parts lead to their source. */
import { useState } from "react";

import { Icon } from "../parts/icon";
import { save } from "../parts/save";
import { useSpeech } from "../words/speak";
import { type Job, type Segment, hasResult, resultOf } from "./job";
import { directionOf } from "./tongues";

interface Props {
  readonly job: Job;
  readonly target: string;
  /** The segment that matches where one is in the source. */
  readonly current: number | null;
  readonly onCurrent: (segment: Segment) => void;
  readonly copied: boolean;
  readonly onCopy: () => void;
}

export function ResultPane({ job, target, current, onCurrent, copied, onCopy }: Props) {
  const { words, count } = useSpeech();
  const language = job.wish?.target ?? target;
  return (
    <section className="pane result" aria-label={words.result.label}>
      <div
        className="written"
        id="result"
        lang={language}
        dir={directionOf(language)}
        tabIndex={0}
        role="group"
        aria-label={words.result.label}
        aria-busy={job.phase === "running"}
      >
        {job.segments.length === 0 && job.phase !== "running" && (
          <span className="hint" lang={document.documentElement.lang}>
            {words.result.empty}
          </span>
        )}
        {job.segments.map(segment => (
          <Written
            key={segment.index}
            segment={segment}
            current={segment.index === current}
            onCurrent={onCurrent}
          />
        ))}
      </div>
      <div className="pane-foot">
        <p className="amount">
          {job.tokens !== null && words.result.tokens(count(job.tokens.prompt), count(job.tokens.output))}
        </p>
        {hasResult(job) && <Taking job={job} language={language} copied={copied} onCopy={onCopy} />}
      </div>
    </section>
  );
}

/** One segment in the running text. The pointer may click it; the keyboard does the same from the source. */
function Written({
  segment,
  current,
  onCurrent,
}: {
  segment: Segment;
  current: boolean;
  onCurrent: Props["onCurrent"];
}) {
  const { words } = useSpeech();
  const [firstMark] = segment.marks;
  const names = ["part", segment.state, current ? "current" : "", firstMark === undefined ? "" : "doubtful"];
  return (
    <>
      {segment.before}
      <span
        className={names.filter(name => name !== "").join(" ")}
        title={firstMark === undefined ? undefined : markWords(firstMark, words.marks)}
        onClick={() => onCurrent(segment)}
      >
        {segment.text}
      </span>
      {segment.after}
    </>
  );
}

/** The sentence for a mark, also for one that this page does not know yet. */
export function markWords(
  mark: string,
  marks: Readonly<Record<string, string>> & { readonly unknown: string },
): string {
  return marks[mark] ?? marks.unknown;
}

function Taking({
  job,
  language,
  copied,
  onCopy,
}: {
  job: Job;
  language: string;
  copied: boolean;
  onCopy: () => void;
}) {
  const { words } = useSpeech();
  const [saved] = useState(() => `translation.${language}.txt`);
  return (
    <div className="row">
      <button
        type="button"
        className="quiet icon"
        aria-label={words.result.save}
        title={words.result.save}
        onClick={() => save(new Blob([resultOf(job)], { type: "text/plain" }), saved)}
      >
        <Icon name="save" />
      </button>
      <button type="button" className="quiet" onClick={onCopy}>
        <Icon name="copy" />
        {copied ? words.result.copied : words.result.copy}
      </button>
    </div>
  );
}
