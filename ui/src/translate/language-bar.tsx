/** From which language into which, and the way to swap them. */
import type { Detected, Language } from "../api/translation";
import { Icon } from "../parts/icon";
import { useSpeech } from "../words/speak";
import { recent, targetsFor } from "./tongues";

interface Props {
  readonly languages: readonly Language[];
  readonly source: string;
  readonly target: string;
  readonly detected: Detected | null;
  readonly onSource: (code: string) => void;
  readonly onTarget: (code: string) => void;
  /** Null: there is nothing to swap with yet. */
  readonly onSwap: (() => void) | null;
}

export function LanguageBar({ languages, source, target, detected, onSource, onTarget, onSwap }: Props) {
  const { words, languageName } = useSpeech();
  const guess =
    source === "auto" && detected !== null ? words.languages.detected(languageName(detected.language)) : null;
  return (
    <div className="languages">
      <div className="language">
        <select
          aria-label={words.languages.from}
          value={source}
          onChange={event => onSource(event.target.value)}
        >
          <option value="auto">{guess ?? words.languages.auto}</option>
          <Options languages={languages} />
        </select>
      </div>
      <button
        type="button"
        className="quiet icon"
        aria-label={words.languages.swap}
        title={onSwap === null ? words.languages.swapNeedsSource : words.languages.swap}
        disabled={onSwap === null}
        onClick={() => onSwap?.()}
      >
        <Icon name="swap" />
      </button>
      <div className="language">
        <select
          aria-label={words.languages.to}
          value={target}
          onChange={event => onTarget(event.target.value)}
        >
          <Options languages={targetsFor(languages, source)} />
        </select>
      </div>
    </div>
  );
}

/** Those used of late first, then all by name. */
function Options({ languages }: { languages: readonly Language[] }) {
  const { words, languageName, tongue } = useSpeech();
  const named = languages.map(({ code, name }) => ({ code, name: languageName(code, name) }));
  const sorted = named.sort((a, b) => a.name.localeCompare(b.name, tongue));
  const used = recent().flatMap(code => sorted.filter(language => language.code === code));
  const option = ({ code, name }: { code: string; name: string }) => (
    <option key={code} value={code} lang={tongue}>
      {name}
    </option>
  );
  if (used.length === 0) return sorted.map(option);
  return (
    <>
      <optgroup label={words.languages.recent}>{used.map(option)}</optgroup>
      <optgroup label={words.languages.all}>{sorted.filter(one => !used.includes(one)).map(option)}</optgroup>
    </>
  );
}
