/** What went wrong, in sentences, with the way on: try again (when it is time), or close. */
import { type Problem, mayRetry, sentences } from "../api/problem";
import { useSpeech } from "../words/speak";
import { useNow } from "./load";

interface Props {
  readonly problem: Problem;
  /** When it came, in milliseconds; the countdown begins there. */
  readonly at?: number;
  readonly onRetry?: (() => void) | undefined;
  readonly onClose?: (() => void) | undefined;
}

export function ProblemNotice({ problem, at = 0, onRetry, onClose }: Props) {
  const { words } = useSpeech();
  const wait = at > 0 && problem.retryAfter !== null ? at + problem.retryAfter * 1000 : 0;
  const now = useNow(wait > 0);
  const left = Math.max(0, Math.ceil((wait - now) / 1000));
  // The shell says so once, for all that fails by it.
  if (problem.kind === "expired") return null;
  return (
    <div className="notice problem" role="alert">
      <div>
        {sentences(problem, words).map(line => (
          <p key={line}>{line}</p>
        ))}
        {left > 0 && mayRetry(problem) && <p aria-live="off">{words.problems.tryIn(left)}</p>}
      </div>
      <div className="row">
        {onRetry !== undefined && mayRetry(problem) && (
          <button type="button" onClick={onRetry} disabled={left > 0}>
            {words.problems.tryNow}
          </button>
        )}
        {onClose !== undefined && (
          <button type="button" className="quiet" onClick={onClose}>
            {words.problems.dismiss}
          </button>
        )}
      </div>
    </div>
  );
}
