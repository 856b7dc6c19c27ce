/** One message as it was written, with when, by whom and how it ended. */
import type { Said } from "../api/moderation";
import { useSpeech } from "../words/speak";

export function Message({ said, found }: { said: Said; found: boolean }) {
  const { words, count, moment } = useSpeech();
  const states: Readonly<Record<string, string>> = words.admin.view.states;
  return (
    <li className={said.byModel ? "of-model" : "of-person"} aria-current={found ? "true" : undefined}>
      <p className="message-head">
        <strong>{said.byModel ? words.admin.view.model : words.admin.view.person}</strong>
        <span>{moment(said.at)}</span>
        {said.state !== "whole" && <span className="doubt">{states[said.state] ?? said.state}</span>}
        {found && <mark>{words.admin.view.found}</mark>}
      </p>
      <div className="as-written" dir="auto">
        {said.content}
      </div>
      {said.byModel && (
        <p className="hint message-foot">
          {words.admin.view.cost(count(said.prompt), count(said.output))}
          {said.turnsCut > 0 && ` · ${words.admin.view.cut(said.turnsCut)}`}
        </p>
      )}
    </li>
  );
}
