/** The list of conversations: search, pages that come as one scrolls, arrow keys. */
import { type KeyboardEvent, memo, useEffect, useRef } from "react";

import type { Conversation } from "../api/conversations";
import { Icon } from "../parts/icon";
import { ProblemNotice } from "../parts/notice";
import { addressOf } from "../shell/rooms";
import { useSpeech } from "../words/speak";
import type { List } from "./use-listing";
import { useSight } from "./use-sight";

interface Props {
  readonly list: List;
  /** The conversation that is open; empty: a new one. */
  readonly here: string;
  /** One was chosen, or a new one. */
  readonly onChosen: () => void;
}

export function ListPane({ list, here, onChosen }: Props) {
  const { words } = useSpeech();
  const { rows, next, loading, there, problem, search } = list;
  return (
    <>
      <a
        className="button"
        href={addressOf("chat")}
        aria-current={here === "" || undefined}
        onClick={onChosen}
      >
        <Icon name="plus" />
        {words.chat.new}
      </a>
      <input
        id="chat-search"
        type="search"
        aria-label={words.chat.search}
        placeholder={words.chat.search}
        value={search}
        onChange={event => list.setSearch(event.target.value)}
      />
      {problem !== null && <ProblemNotice problem={problem} onRetry={list.reload} />}
      {there && rows.length === 0 && (
        <p className="hint">{search.trim() === "" ? words.chat.none : words.chat.noneFound}</p>
      )}
      <p role="status" className="for-ears">
        {there && rows.length > 0 ? words.chat.shown(rows.length) : ""}
      </p>
      <Rows rows={rows} here={here} onChosen={onChosen}>
        {next !== null && <More loading={loading} onMore={list.more} />}
      </Rows>
    </>
  );
}

function Rows(props: {
  rows: readonly Conversation[];
  here: string;
  onChosen: () => void;
  children: React.ReactNode;
}) {
  const { words } = useSpeech();
  const { rows, here, onChosen, children } = props;
  const place = useRef<HTMLUListElement>(null);
  useEffect(() => {
    place.current?.querySelector("[aria-current=page]")?.scrollIntoView({ block: "nearest" });
  }, [here]);
  return (
    // The keys are a way beside Tab, which goes through the same links.
    <ul ref={place} className="talks" aria-label={words.chat.list} onKeyDown={walk}>
      {rows.map(row => (
        <Row key={row.id} row={row} here={row.id === here} onChosen={onChosen} />
      ))}
      {children}
    </ul>
  );
}

const Row = memo(function Row(props: { row: Conversation; here: boolean; onChosen: () => void }) {
  const { words, moment } = useSpeech();
  const { row, here, onChosen } = props;
  return (
    <li>
      <a href={addressOf("chat", row.id)} aria-current={here ? "page" : undefined} onClick={onChosen}>
        <span className="talk-title" dir="auto">
          {row.title === "" ? words.chat.untitled : row.title}
        </span>
        <span className="talk-about">
          {moment(row.updated)} · {row.model}
          {row.closed && ` · ${words.chat.closedMark}`}
        </span>
      </a>
    </li>
  );
});

/** Comes into sight when the list ends: then there is more. A button too, for who does not scroll. */
function More({ loading, onMore }: { loading: boolean; onMore: () => void }) {
  const { words } = useSpeech();
  const place = useSight<HTMLLIElement>(onMore, !loading);
  return (
    <li ref={place}>
      {/* Not disabled: that would take the focus away from who presses it. */}
      <button type="button" className="quiet" aria-disabled={loading} onClick={onMore}>
        {loading ? words.chat.loading : words.chat.more}
      </button>
    </li>
  );
}

/** Arrow keys, Home and End go through the list. */
function walk(event: KeyboardEvent<HTMLUListElement>): void {
  const links = [...event.currentTarget.querySelectorAll("a")];
  const at = links.findIndex(link => link === document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: links.length - 1 }[event.key];
  const link = to === undefined ? undefined : links[to];
  if (link === undefined) return;
  event.preventDefault();
  link.focus();
}
