/** The chat: the list of conversations beside the one that is open. On a phone the list is a drawer. */
import { useCallback, useState, useSyncExternalStore } from "react";

import { exported } from "../api/conversations";
import { Dialog } from "../parts/dialog";
import { Icon } from "../parts/icon";
import { useDeed } from "../parts/load";
import { ProblemNotice } from "../parts/notice";
import { save } from "../parts/save";
import { addressOf, usePlace } from "../shell/rooms";
import { useSurroundings } from "../shell/surroundings";
import { useSpeech } from "../words/speak";
import { Beginning } from "./beginning";
import { KeyboardDialog } from "./keyboard-dialog";
import { ListPane } from "./list-pane";
import { ModeratorsDialog } from "./moderators";
import { OpenConversation } from "./open-conversation";
import { useListing } from "./use-listing";
import { useShortcuts } from "./use-shortcuts";

/** The windows that can stand open over the room. */
type Window = "list" | "keyboard" | "moderators";

export default function ChatRoom() {
  const { words } = useSpeech();
  const here = usePlace();
  const list = useListing();
  const [window, open] = useState<Window | null>(null);
  const close = useCallback(() => open(null), []);
  const narrow = useNarrow();
  useRoomKeys(narrow, open);
  const pane = <ListPane list={list} here={here} onChosen={close} />;
  return (
    <div className="chat">
      <h1 className="for-ears">{words.rooms.chat}</h1>
      {!narrow && (
        <aside className="chat-side" aria-label={words.chat.list}>
          {pane}
          <ExportAll />
        </aside>
      )}
      <section className="chat-desk" aria-label={words.rooms.chat}>
        {narrow && <NarrowHead onList={() => open("list")} />}
        {here === "" ? (
          <Beginning onMade={list.changed} />
        ) : (
          <OpenConversation key={here} id={here} onChanged={list.changed} onGone={list.gone} />
        )}
        <Foot onOpen={open} />
      </section>
      {narrow && window === "list" && (
        <Dialog title={words.chat.list} onClose={close} drawer>
          {pane}
          <ExportAll />
        </Dialog>
      )}
      {window === "keyboard" && <KeyboardDialog onClose={close} />}
      {window === "moderators" && <ModeratorsDialog onClose={close} />}
    </div>
  );
}

function useRoomKeys(narrow: boolean, open: (window: Window) => void): void {
  useShortcuts({
    new: () => {
      location.hash = addressOf("chat");
    },
    search: () => {
      if (narrow) open("list");
      // The drawer is there a moment later.
      setTimeout(() => document.getElementById("chat-search")?.focus(), 0);
    },
    say: () => document.getElementById("say")?.focus(),
    help: () => open("keyboard"),
  });
}

function NarrowHead({ onList }: { onList: () => void }) {
  const { words } = useSpeech();
  return (
    <div className="row spread">
      <button type="button" onClick={onList}>
        <Icon name="menu" />
        {words.chat.list}
      </button>
      <a className="button" href={addressOf("chat")} aria-label={words.chat.new} title={words.chat.new}>
        <Icon name="plus" />
      </a>
    </div>
  );
}

/** One line that is always there: that moderators exist, and what the keys are. */
function Foot({ onOpen }: { onOpen: (window: Window) => void }) {
  const { words } = useSpeech();
  return (
    <p className="chat-foot">
      <span>
        {words.chat.moderators}{" "}
        <button type="button" className="as-link" onClick={() => onOpen("moderators")}>
          {words.chat.moderatorsMore}
        </button>
      </span>
      <button
        type="button"
        className="quiet icon only-wide"
        aria-label={words.chat.keys.open}
        title={words.chat.keys.open}
        onClick={() => onOpen("keyboard")}
      >
        <Icon name="keyboard" />
      </button>
    </p>
  );
}

function ExportAll() {
  const { words } = useSpeech();
  const { door } = useSurroundings();
  const { busy, problem, forgive, act } = useDeed();
  const go = async () => {
    const day = new Date().toISOString().slice(0, 10);
    save(await exported(door), `conversations-${day}.json`);
  };
  return (
    <>
      <button type="button" className="quiet" disabled={busy} onClick={() => act(go)}>
        <Icon name="save" />
        {words.chat.exportAll}
      </button>
      {problem !== null && <ProblemNotice problem={problem} onClose={forgive} />}
    </>
  );
}

/** Is the page as narrow as a phone? The same bound as in the style sheet. */
function useNarrow(): boolean {
  const narrow = globalThis.matchMedia("(max-width: 760px)");
  return useSyncExternalStore(
    listener => {
      narrow.addEventListener("change", listener);
      return () => narrow.removeEventListener("change", listener);
    },
    () => narrow.matches,
  );
}
