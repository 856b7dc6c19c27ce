/** Where the job stands: for the eye a line with a bar, for the ear one sentence when something changes. */
import { ProblemNotice } from "../parts/notice";
import { WaitLine } from "../parts/wait-line";
import { useSurroundings } from "../shell/surroundings";
import { useSpeech } from "../words/speak";
import type { Words } from "../words/catalogue";
import { type Job, marked } from "./job";

interface Props {
  readonly job: Job;
  readonly onRetry: () => void;
  readonly onForgive: () => void;
}

export function Status({ job, onRetry, onForgive }: Props) {
  const { words } = useSpeech();
  return (
    <div className="status">
      <p role="status" className="for-ears">
        {said(job, words)}
      </p>
      {job.wait !== null && <WaitLine wait={job.wait} because={words.wait} />}
      {job.phase === "running" && job.wait === null && <Progress job={job} />}
      {job.problem === null && (job.phase === "done" || job.phase === "stopped") && job.total > 0 && (
        <p aria-hidden="true" className={marked(job) > 0 ? "doubt" : ""}>
          {said(job, words)}
        </p>
      )}
      {job.problem !== null && (
        <ProblemNotice problem={job.problem} at={job.failedAt} onRetry={onRetry} onClose={onForgive} />
      )}
      {job.phase === "idle" && <AsleepHint />}
    </div>
  );
}

/** One sentence per change; a countdown would talk without end. */
function said(job: Job, words: Words): string {
  if (job.wait !== null) return words.wait[job.wait.state];
  switch (job.phase) {
    case "running":
      return words.result.running(0, 0);
    case "stopped":
      return words.result.stopped;
    case "done":
      return marked(job) > 0 ? words.result.doneMarked(marked(job)) : words.result.done(job.total);
    default:
      return "";
  }
}

function Progress({ job }: { job: Job }) {
  const { words } = useSpeech();
  const known = job.total > 0;
  return (
    <div className="row progress">
      <progress
        aria-label={words.result.running(0, 0)}
        {...(known ? { value: job.done, max: job.total } : {})}
      />
      <span>{words.result.running(job.done, job.total)}</span>
    </div>
  );
}

/** Before anybody asks: that the first translation will take a while. */
function AsleepHint() {
  const { words } = useSpeech();
  const { fleet } = useSurroundings();
  if (fleet?.phase !== "asleep") return null;
  return <p className="hint">{words.fleetChip.asleepHint(fleet.expectedWait)}</p>;
}
