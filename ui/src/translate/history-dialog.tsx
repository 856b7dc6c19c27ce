/** Translations of old, on this device: search, open, delete. */
import { useState } from "react";

import { Confirm, Dialog } from "../parts/dialog";
import { Icon } from "../parts/icon";
import { useLoad } from "../parts/load";
import { keep, kept } from "../shell/preferences";
import { useSurroundings } from "../shell/surroundings";
import { useSpeech } from "../words/speak";
import { type Entry, forget, forgetAll, matching, remembered } from "./device";

interface Props {
  readonly onOpen: (entry: Entry) => void;
  readonly onClose: () => void;
}

/** More are found by searching. */
const SHOWN = 100;

export function HistoryDialog({ onOpen, onClose }: Props) {
  const { words } = useSpeech();
  const { person } = useSurroundings();
  const [search, setSearch] = useState("");
  const [asking, setAsking] = useState(false);
  const { value: entries, problem, reload } = useLoad(person.owner, () => remembered(person.owner));
  const found = matching(entries ?? [], search).slice(0, SHOWN);
  return (
    <Dialog title={words.history.title} onClose={onClose} wide>
      <div className="row spread">
        <KeepBox />
        <button
          type="button"
          className="quiet"
          disabled={(entries ?? []).length === 0}
          onClick={() => setAsking(true)}
        >
          {words.history.removeAll}
        </button>
      </div>
      <input
        type="search"
        aria-label={words.history.search}
        placeholder={words.history.search}
        value={search}
        onChange={event => setSearch(event.target.value)}
      />
      {problem !== null && <p>{words.history.unavailable}</p>}
      {entries !== null && found.length === 0 && (
        <p className="hint">{search === "" ? words.history.none : words.history.noneFound}</p>
      )}
      <ul className="entries scroll">
        {found.map(entry => (
          <EntryLine key={entry.id} entry={entry} onOpen={onOpen} onGone={reload} />
        ))}
      </ul>
      {asking && (
        <Confirm
          title={words.history.removeAll}
          question={words.history.reallyAll}
          onYes={() => void forgetAll(person.owner).then(reload)}
          onClose={() => setAsking(false)}
        />
      )}
    </Dialog>
  );
}

function EntryLine({ entry, onOpen, onGone }: { entry: Entry; onOpen: Props["onOpen"]; onGone: () => void }) {
  const { words, moment, languageName } = useSpeech();
  const pair = `${entry.source === "auto" ? words.languages.auto : languageName(entry.source)} → ${languageName(entry.target)}`;
  const { id } = entry;
  return (
    <li>
      <button type="button" className="quiet entry" onClick={() => onOpen(entry)}>
        <span className="entry-head">
          {pair} · {moment(entry.at / 1000)}
        </span>
        <span className="entry-text" dir="auto">
          {entry.q}
        </span>
        <span className="entry-text" dir="auto" lang={entry.target}>
          {entry.text}
        </span>
      </button>
      <button
        type="button"
        className="quiet icon"
        aria-label={words.history.remove}
        onClick={() => {
          if (id !== undefined) void forget(id).then(onGone);
        }}
      >
        <Icon name="close" />
      </button>
    </li>
  );
}

function KeepBox() {
  const { words } = useSpeech();
  const [on, setOn] = useState(() => kept("history") !== "off");
  return (
    <label className="check">
      <input
        type="checkbox"
        checked={on}
        onChange={event => {
          setOn(event.target.checked);
          keep("history", event.target.checked ? "on" : "off");
        }}
      />
      {words.history.keep}. {words.history.about}
    </label>
  );
}
