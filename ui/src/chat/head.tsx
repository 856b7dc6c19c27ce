/** The head of a conversation: what it is called, with which model, how much it took; and what can be done with it. */
import { type SubmitEvent, useState } from "react";

import { type Conversation, remove } from "../api/conversations";
import { Confirm, Dialog } from "../parts/dialog";
import { Icon } from "../parts/icon";
import { useDeed } from "../parts/load";
import { ProblemNotice } from "../parts/notice";
import { addressOf } from "../shell/rooms";
import { useSurroundings } from "../shell/surroundings";
import { useSpeech } from "../words/speak";
import type { Talk } from "./talk";
import { forgetTalk } from "./talks";

interface Props {
  readonly talk: Talk;
  readonly conversation: Conversation;
  readonly busy: boolean;
  readonly onGone: (id: string) => void;
}

type Window = "rename" | "instructions" | "remove";

export function Head({ talk, conversation, busy, onGone }: Props) {
  const { words, count } = useSpeech();
  const [window, open] = useState<Window | null>(null);
  const { title, model, promptTokens, outputTokens, closed } = conversation;
  return (
    <header className="talk-head">
      <div className="talk-name">
        <h2 dir="auto">{title === "" ? words.chat.untitled : title}</h2>
        <p className="hint">
          {model}
          {outputTokens > 0 && ` · ${words.chat.total(count(promptTokens), count(outputTokens))}`}
        </p>
      </div>
      <div className="row">
        <HeadButton icon="edit" name={words.chat.rename} onClick={() => open("rename")} />
        <HeadButton icon="book" name={words.chat.instructions} onClick={() => open("instructions")} />
        {!closed && (
          <HeadButton
            icon="lock"
            name={words.chat.close}
            disabled={busy}
            onClick={() => talk.change({ closed: true })}
          />
        )}
        <HeadButton icon="bin" name={words.chat.remove} onClick={() => open("remove")} />
      </div>
      <Windows
        window={window}
        talk={talk}
        conversation={conversation}
        onGone={onGone}
        onClose={() => open(null)}
      />
    </header>
  );
}

function HeadButton(props: {
  icon: "edit" | "book" | "lock" | "bin";
  name: string;
  disabled?: boolean;
  onClick: () => void;
}) {
  return (
    <button
      type="button"
      className="quiet icon"
      aria-label={props.name}
      title={props.name}
      disabled={props.disabled}
      onClick={props.onClick}
    >
      <Icon name={props.icon} />
    </button>
  );
}

interface WindowsProps extends Omit<Props, "busy"> {
  readonly window: Window | null;
  readonly onClose: () => void;
}

function Windows({ window, talk, conversation, onGone, onClose }: WindowsProps) {
  const { words } = useSpeech();
  const { door, person } = useSurroundings();
  const { problem, forgive, act } = useDeed();
  const gone = () => {
    forgetTalk(door, person.owner, conversation.id);
    onGone(conversation.id);
    location.hash = addressOf("chat");
  };
  switch (window) {
    case "rename":
      return <TitleDialog talk={talk} title={conversation.title} onClose={onClose} />;
    case "instructions":
      return <InstructionsDialog talk={talk} system={conversation.system} onClose={onClose} />;
    case "remove":
      return (
        <Confirm
          title={words.chat.remove}
          question={words.chat.reallyRemove(
            conversation.title === "" ? words.chat.untitled : conversation.title,
          )}
          onYes={() => act(() => remove(door, conversation.id), gone)}
          onClose={onClose}
        />
      );
    case null:
      return problem === null ? null : <ProblemNotice problem={problem} onClose={forgive} />;
  }
}

/** Longest title that makes sense in a list. */
const TITLE = 200;

function TitleDialog({ talk, title, onClose }: { talk: Talk; title: string; onClose: () => void }) {
  const { words } = useSpeech();
  const [text, setText] = useState(title);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    talk.change({ title: text.trim() });
    onClose();
  };
  return (
    <Dialog title={words.chat.rename} onClose={onClose}>
      <form className="stack" onSubmit={submit}>
        <input
          required
          pattern=".*\S.*"
          dir="auto"
          maxLength={TITLE}
          aria-label={words.chat.title}
          value={text}
          onChange={event => setText(event.target.value)}
        />
        <Buttons onClose={onClose} />
      </form>
    </Dialog>
  );
}

function InstructionsDialog({ talk, system, onClose }: { talk: Talk; system: string; onClose: () => void }) {
  const { words } = useSpeech();
  const [text, setText] = useState(system);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    talk.change({ system: text.trim() });
    onClose();
  };
  return (
    <Dialog title={words.chat.instructions} onClose={onClose}>
      <form className="stack" onSubmit={submit}>
        <label className="stack hint">
          {words.chat.instructionsAbout}
          <textarea rows={8} dir="auto" value={text} onChange={event => setText(event.target.value)} />
        </label>
        <Buttons onClose={onClose} />
      </form>
    </Dialog>
  );
}

function Buttons({ onClose }: { onClose: () => void }) {
  const { words } = useSpeech();
  return (
    <div className="row end">
      <button type="button" onClick={onClose}>
        {words.dialog.cancel}
      </button>
      <button className="primary">{words.chat.save}</button>
    </div>
  );
}
