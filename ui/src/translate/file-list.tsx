/** Files that were sent: how far each is, and the translated file to save. */
import { Icon } from "../parts/icon";
import { ProblemNotice } from "../parts/notice";
import { save } from "../parts/save";
import { useSpeech } from "../words/speak";
import { WaitLine } from "../parts/wait-line";
import { type FileJob, type Files, translatedName } from "./use-files";

export function FileList({ files }: { files: Files }) {
  const { words } = useSpeech();
  if (files.jobs.length === 0) return null;
  return (
    <section className="files" aria-label={words.files.title}>
      <h2>{words.files.title}</h2>
      <ul>
        {files.jobs.map(job => (
          <li key={job.id}>
            <FileLine job={job} files={files} />
            {job.wait !== null && <WaitLine wait={job.wait} because={words.wait} />}
            {job.problem !== null && (
              <ProblemNotice problem={job.problem} at={job.failedAt} onRetry={() => files.again(job)} />
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

function FileLine({ job, files }: { job: FileJob; files: Files }) {
  const { words } = useSpeech();
  const { file, phase, result } = job;
  const under = phase === "sending" || phase === "running";
  return (
    <div className="file">
      <Icon name="file" />
      <span className="file-name">{file.name}</span>
      <span className="file-state" role="status">
        {stateOf(job, words)}
      </span>
      {under && (
        <progress aria-label={file.name} {...(job.total > 0 ? { value: job.done, max: job.total } : {})} />
      )}
      {result !== null && (
        <button
          type="button"
          className="primary"
          onClick={() => save(result, translatedName(file.name, job.pair.target))}
        >
          {words.files.download}
        </button>
      )}
      {phase === "stopped" && (
        <button type="button" onClick={() => files.again(job)}>
          {words.files.again}
        </button>
      )}
      <button
        type="button"
        className="quiet icon"
        aria-label={under ? words.files.stop(file.name) : words.files.remove(file.name)}
        onClick={() => (under ? files.stop(job.id) : files.remove(job.id))}
      >
        <Icon name="close" />
      </button>
    </div>
  );
}

function stateOf({ phase, done, total }: FileJob, words: ReturnType<typeof useSpeech>["words"]): string {
  switch (phase) {
    case "sending":
      return words.files.sending;
    case "running":
      return words.files.running(done, total);
    case "done":
      return words.files.done;
    case "stopped":
      return words.result.stopped;
    case "failed":
      return "";
  }
}
