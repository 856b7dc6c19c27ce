/** Where one writes. Enter sends; what one has typed is kept for its conversation. */
import { type KeyboardEvent, type SubmitEvent, useEffect, useRef, useSyncExternalStore } from "react";

import { useSpeech } from "../words/speak";
import { draftOf, followDrafts, noteDraft } from "./drafts";
import { sends } from "./use-shortcuts";

interface Props {
  readonly draftKey: string;
  /** An answer is on its way: it can be stopped, and nothing be sent. */
  readonly busy: boolean;
  readonly stopping?: boolean;
  readonly ready: boolean;
  readonly onSay: (content: string) => void;
  readonly onStop?: () => void;
  /** The arrow upwards in an empty field. */
  readonly onLast?: () => void;
}

export function Composer({ draftKey: key, busy, stopping = false, ready, onSay, onStop, onLast }: Props) {
  const { words } = useSpeech();
  const text = useSyncExternalStore(followDrafts, () => draftOf(key));
  const field = useRef<HTMLTextAreaElement>(null);
  // Whoever comes here wants to write; a phone would show its keyboard over half of what is to be read.
  useEffect(() => {
    if (matchMedia("(hover: hover)").matches) field.current?.focus();
  }, []);
  const sendable = ready && !busy && text.trim() !== "";
  const send = () => {
    if (!sendable) return;
    onSay(text);
  };
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    send();
  };
  const pressed = (event: KeyboardEvent) => {
    if (sends(event.nativeEvent)) {
      event.preventDefault();
      send();
    } else if (event.key === "ArrowUp" && text === "" && onLast !== undefined) {
      event.preventDefault();
      onLast();
    }
  };
  return (
    <form className="composer" onSubmit={submit}>
      <textarea
        ref={field}
        id="say"
        rows={Math.min(10, text.split("\n").length)}
        dir="auto"
        value={text}
        placeholder={words.chat.placeholder}
        aria-label={words.chat.message}
        aria-describedby="say-hint"
        onChange={event => noteDraft(key, event.target.value)}
        onKeyDown={pressed}
      />
      <span id="say-hint" className="for-ears">
        {words.chat.sendHint}
      </span>
      {busy ? (
        <button type="button" className="primary" disabled={stopping} onClick={onStop}>
          {words.chat.stop} <kbd>Esc</kbd>
        </button>
      ) : (
        <button className="primary" disabled={!sendable}>
          {words.chat.send}
        </button>
      )}
    </form>
  );
}
