/** One message: who, what, how it ended, and what can be done with it. */
import { type KeyboardEvent, type SubmitEvent, memo, useState } from "react";

import type { Message } from "../api/conversations";
import { Icon } from "../parts/icon";
import { useSpeech } from "../words/speak";
import { CopyButton } from "./copy-button";
import { Written } from "./written";
import { sends } from "./use-shortcuts";

export interface MessageDeeds {
  /** Begins to change a message; null: ends it. */
  readonly edit: (id: string | null) => void;
  readonly say: (content: string, replaces: string) => void;
  readonly again: () => void;
}

interface Props {
  readonly message: Message;
  readonly model: string;
  readonly last: boolean;
  readonly editing: boolean;
  /** Nothing is being written, and the conversation is open. */
  readonly writable: boolean;
  readonly deeds: MessageDeeds;
}

export const MessageItem = memo(function MessageItem(props: Props) {
  const { words, moment } = useSpeech();
  const { message, model, editing } = props;
  const { role, content, state, at } = message;
  const mine = role === "user";
  return (
    <li className={mine ? "said mine" : "said"} aria-busy={state === "writing" || undefined}>
      <h3>
        {mine ? words.chat.you : model}
        {at > 0 && <time dateTime={new Date(at * 1000).toISOString()}>{moment(at)}</time>}
      </h3>
      {editing ? (
        <Editor message={message} deeds={props.deeds} />
      ) : mine ? (
        <p className="said-text">{content}</p>
      ) : (
        <>
          {message.turnsCut > 0 && <p className="hint cut">{words.chat.turnsCut(message.turnsCut)}</p>}
          <Written text={content} />
          {state === "writing" && <span className="pen" aria-hidden="true" />}
        </>
      )}
      {!editing && state !== "writing" && <Foot {...props} />}
    </li>
  );
});

function Foot({ message, last, writable, deeds }: Props) {
  const { words } = useSpeech();
  const { id, role, content } = message;
  return (
    <div className="said-foot">
      {content !== "" && <CopyButton text={content} name={words.chat.copyMessage} />}
      {role === "user" && writable && (
        <button
          type="button"
          className="quiet icon"
          aria-label={words.chat.edit}
          title={words.chat.edit}
          onClick={() => deeds.edit(id)}
        >
          <Icon name="edit" />
        </button>
      )}
      {role === "assistant" && last && writable && (
        <button
          type="button"
          className="quiet icon"
          aria-label={words.chat.again}
          title={words.chat.again}
          onClick={deeds.again}
        >
          <Icon name="again" />
        </button>
      )}
      {role === "assistant" && <Counts message={message} />}
    </div>
  );
}

function Counts({ message }: { message: Message }) {
  const { words, count } = useSpeech();
  const { state, promptTokens, outputTokens, seconds } = message;
  const mark =
    state === "stopped" ? words.chat.stoppedMark : state === "broken" ? words.chat.brokenMark : null;
  return (
    <p className="said-counts">
      {mark !== null && <strong>{mark}</strong>}
      {outputTokens > 0 && <span>{words.chat.counts(count(promptTokens), count(outputTokens))}</span>}
      {seconds !== null && <span>{words.chat.took(count(seconds))}</span>}
    </p>
  );
}

/** One's own message, to be said otherwise. */
function Editor({ message, deeds }: { message: Message; deeds: MessageDeeds }) {
  const { words } = useSpeech();
  const [text, setText] = useState(message.content);
  const say = () => {
    if (text.trim() !== "") deeds.say(text, message.id);
  };
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    say();
  };
  const pressed = (event: KeyboardEvent) => {
    if (event.key === "Escape" && !event.nativeEvent.isComposing) deeds.edit(null);
    else if (sends(event.nativeEvent)) say();
    else return;
    event.preventDefault();
  };
  return (
    <form className="stack" onSubmit={submit}>
      <textarea
        autoFocus
        dir="auto"
        rows={Math.min(12, text.split("\n").length + 1)}
        aria-label={words.chat.edit}
        value={text}
        onChange={event => setText(event.target.value)}
        onKeyDown={pressed}
      />
      <p className="hint">{words.chat.editWarning}</p>
      <div className="row end">
        <button type="button" onClick={() => deeds.edit(null)}>
          {words.dialog.cancel}
        </button>
        <button className="primary" disabled={text.trim() === ""}>
          {words.chat.send}
        </button>
      </div>
    </form>
  );
}
