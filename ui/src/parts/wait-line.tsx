/** Why nothing comes yet, and how long still. */
import { useSpeech } from "../words/speak";
import { useNow } from "./load";

/** Why nothing comes at the moment, and until when (milliseconds; null: nobody knows). */
export interface Wait {
  readonly state: "queued" | "asleep" | "waking";
  readonly until: number | null;
}

interface Props {
  readonly wait: Wait;
  /** The sentence for each reason. */
  readonly because: Readonly<Record<Wait["state"], string>>;
}

export function WaitLine({ wait, because }: Props) {
  const { words } = useSpeech();
  const now = useNow(true);
  const left = wait.until === null ? null : Math.ceil((wait.until - now) / 1000);
  return (
    <div className="notice wait">
      {wait.state !== "queued" && <span className="moon" aria-hidden="true" />}
      <div>
        <p>{because[wait.state]}</p>
        <p className="countdown">
          {left === null ? words.wait.unknown : left > 0 ? words.wait.left(left) : words.wait.soon}
        </p>
      </div>
    </div>
  );
}
