/** One message, with when, by whom and how it ended. */
import type { Message } from "../api/conversations";
import { Written } from "../chat/written";
import { useSpeech } from "../words/speak";

export function SaidLine({ said, found }: { said: Message; found: boolean }) {
  const { words, count, moment } = useSpeech();
  const byModel = said.role === "assistant";
  return (
    <li className={byModel ? "of-model" : "of-person"} aria-current={found ? "true" : undefined}>
      <p className="message-head">
        <strong>{byModel ? words.admin.view.model : words.admin.view.person}</strong>
        <span>{moment(said.at)}</span>
        {said.state !== "whole" && <span className="doubt">{words.admin.view.states[said.state]}</span>}
        {found && <mark>{words.admin.view.found}</mark>}
      </p>
      {byModel ? (
        <Written text={said.content} />
      ) : (
        <div className="as-written" dir="auto">
          {said.content}
        </div>
      )}
      {byModel && (
        <p className="hint message-foot">
          {words.admin.view.cost(count(said.promptTokens), count(said.outputTokens))}
          {said.turnsCut > 0 && ` · ${words.admin.view.cut(said.turnsCut)}`}
        </p>
      )}
    </li>
  );
}
