/** Where the answer stands: for the eye why it takes a while or what went wrong, for the ear one sentence a change. */
import { mayRetry } from "../api/problem";
import { ProblemNotice } from "../parts/notice";
import { WaitLine } from "../parts/wait-line";
import type { Words } from "../words/catalogue";
import { useSpeech } from "../words/speak";
import { type Transcript, isBusy } from "./transcript";

interface Props {
  readonly transcript: Transcript;
  readonly onRetry: () => void;
  readonly onForgive: () => void;
}

export function TalkStatus({ transcript, onRetry, onForgive }: Props) {
  const { words } = useSpeech();
  const { wait, phase, problem, failedAt } = transcript;
  const again = problem !== null && mayRetry(problem) && !isBusy(transcript);
  return (
    <div className="talk-status">
      <p role="status" className="for-ears">
        {heard(transcript, words)}
      </p>
      {wait !== null && <WaitLine wait={wait} because={words.chat.wait} />}
      {phase === "elsewhere" && (
        <p className="notice" aria-hidden="true">
          {words.chat.elsewhere}
        </p>
      )}
      {problem !== null && (
        <ProblemNotice
          problem={problem}
          at={failedAt}
          onRetry={again ? onRetry : undefined}
          onClose={onForgive}
        />
      )}
    </div>
  );
}

/** One sentence per change; every token, or a countdown, would talk without end. */
function heard({ wait, phase, outcome }: Transcript, { chat }: Words): string {
  if (wait !== null) return chat.wait[wait.state];
  switch (phase) {
    case "sending":
      return chat.sent;
    case "writing":
      return chat.writing;
    case "elsewhere":
      return chat.elsewhere;
    case "idle":
      return outcome === null ? "" : chat[outcome];
  }
}
