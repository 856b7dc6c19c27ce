/** Windows over the page: the browser's own dialog, which keeps the focus inside and closes on Escape. */
import { type ReactNode, useEffect, useId, useRef } from "react";

import { useSpeech } from "../words/speak";
import { Icon } from "./icon";

export function Dialog(props: {
  title: string;
  onClose: () => void;
  wide?: boolean;
  /** At the side, as high as the window. */
  drawer?: boolean;
  children: ReactNode;
}) {
  const { words } = useSpeech();
  const dialog = useRef<HTMLDialogElement>(null);
  const title = useId();
  useEffect(() => {
    const element = dialog.current;
    const before = document.activeElement;
    element?.showModal();
    return () => {
      // A window that its owner takes away, instead of closing it, gives the focus back all the same.
      if (element?.isConnected === false && before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      className={props.drawer === true ? "drawer" : props.wide === true ? "wide" : ""}
      aria-labelledby={title}
      onClose={props.onClose}
    >
      <header className="dialog-head">
        <h2 id={title}>{props.title}</h2>
        <button
          type="button"
          className="quiet icon"
          onClick={() => dialog.current?.close()}
          aria-label={words.dialog.close}
        >
          <Icon name="close" />
        </button>
      </header>
      {props.children}
    </dialog>
  );
}

/** Asks before something that cannot be undone. */
export function Confirm(props: { title: string; question: string; onYes: () => void; onClose: () => void }) {
  const { words } = useSpeech();
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      <p>{props.question}</p>
      <div className="row end">
        <button type="button" onClick={props.onClose}>
          {words.dialog.cancel}
        </button>
        <button
          type="button"
          className="danger"
          onClick={() => {
            props.onYes();
            props.onClose();
          }}
        >
          {words.dialog.confirm}
        </button>
      </div>
    </Dialog>
  );
}
