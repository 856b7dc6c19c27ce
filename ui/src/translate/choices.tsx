/** How to translate, and the button that does it. */
import { tones } from "../api/translation";
import { Icon } from "../parts/icon";
import { useSpeech } from "../words/speak";
import { TERMS_PER_REQUEST, needed } from "./glossary";
import type { Table } from "./room";

export function Choices({ table }: { table: Table }) {
  const { words } = useSpeech();
  const { desk, open } = table;
  const { tone, text } = desk.draft;
  return (
    <div className="choices">
      <label className="tone">
        <span>{words.tone.label}</span>
        <select
          value={tone}
          onChange={event =>
            desk.change({ tone: tones.find(one => one === event.target.value) ?? "neutral" })
          }
        >
          {tones.map(one => (
            <option key={one} value={one}>
              {words.tone[one]}
            </option>
          ))}
        </select>
      </label>
      <button type="button" className="quiet" onClick={() => open("glossary")}>
        <Icon name="book" />
        {words.glossary.open(desk.terms.length)}
      </button>
      <button type="button" className="quiet" onClick={() => open("history")}>
        <Icon name="clock" />
        {words.history.title}
      </button>
      <View table={table} />
      <span className="push" />
      <button
        type="button"
        className="quiet icon only-wide"
        aria-label={words.keyboard.open}
        title={words.keyboard.open}
        onClick={() => open("keyboard")}
      >
        <Icon name="keyboard" />
      </button>
      <Go table={table} />
      {needed(desk.terms, text).more && (
        <p className="hint wide">{words.glossary.tooMany(TERMS_PER_REQUEST)}</p>
      )}
    </div>
  );
}

function View({ table: { sideBySide, setSideBySide } }: { table: Table }) {
  const { words } = useSpeech();
  const choice = (on: boolean, name: string) => (
    <button type="button" aria-pressed={sideBySide === on} onClick={() => setSideBySide(on)}>
      {name}
    </button>
  );
  return (
    <div className="switch" role="group" aria-label={words.view.label}>
      {choice(false, words.view.text)}
      {choice(true, words.view.segments)}
    </div>
  );
}

/** Translate, or stop: one place, since only one of them makes sense. */
function Go({ table }: { table: Table }) {
  const { words } = useSpeech();
  const { job, stop } = table.translation;
  const settled = job.phase === "done" && job.wish?.q === table.desk.draft.text;
  if (job.phase === "running" || job.again !== null) {
    return (
      <button type="button" className="primary go" onClick={stop}>
        {words.result.stop} <kbd>Esc</kbd>
      </button>
    );
  }
  return (
    <button
      type="button"
      className={settled ? "primary go settled" : "primary go"}
      disabled={!table.ready}
      onClick={table.translate}
    >
      {words.result.translate} <kbd>Ctrl ↵</kbd>
    </button>
  );
}
