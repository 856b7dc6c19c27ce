/** The glossary for one target language: rows to edit, CSV in and out. What is typed is kept at once. */
import { useId, useRef, useState } from "react";

import type { Term } from "../api/translation";
import { Dialog } from "../parts/dialog";
import { Icon } from "../parts/icon";
import { save } from "../parts/save";
import { useSpeech } from "../words/speak";
import { csvOf, merge, termsIn } from "./glossary";

interface Props {
  readonly target: string;
  readonly terms: readonly Term[];
  readonly onTerms: (terms: readonly Term[]) => void;
  readonly onClose: () => void;
}

export function GlossaryDialog({ target, terms, onTerms, onClose }: Props) {
  const { words, languageName } = useSpeech();
  const [note, setNote] = useState("");
  const take = async (file: File) => {
    const found = termsIn(await file.text());
    const merged = merge(terms, found);
    if (found.length > 0) onTerms(merged.terms);
    setNote(
      found.length > 0 ? words.glossary.imported(merged.added, merged.changed) : words.glossary.nothing,
    );
  };
  return (
    <Dialog title={words.glossary.title} onClose={onClose} wide>
      <p>{words.glossary.about(languageName(target))}</p>
      <Rows terms={terms} onTerms={onTerms} />
      <p role="status">{note}</p>
      <div className="row">
        <button type="button" onClick={() => onTerms([...terms, { source: "", target: "" }])}>
          {words.glossary.add}
        </button>
        <ImportButton onFile={file => void take(file)} />
        <button
          type="button"
          disabled={terms.length === 0}
          onClick={() => save(new Blob([csvOf(terms)], { type: "text/csv" }), `glossary.${target}.csv`)}
        >
          {words.glossary.export}
        </button>
      </div>
    </Dialog>
  );
}

function Rows({ terms, onTerms }: Pick<Props, "terms" | "onTerms">) {
  const { words } = useSpeech();
  if (terms.length === 0) return <p className="hint">{words.glossary.empty}</p>;
  const change = (row: number, term: Term) =>
    onTerms(terms.map((old, index) => (index === row ? term : old)));
  return (
    <div className="scroll">
      <table className="terms">
        <thead>
          <tr>
            <th scope="col">{words.glossary.source}</th>
            <th scope="col">{words.glossary.target}</th>
            <td />
          </tr>
        </thead>
        <tbody>
          {terms.map((term, row) => (
            // Rows have no name of their own: what identifies one is its place.
            <tr key={row}>
              <Cell
                label={words.glossary.source}
                value={term.source}
                onValue={source => change(row, { ...term, source })}
              />
              <Cell
                label={words.glossary.target}
                value={term.target}
                onValue={value => change(row, { ...term, target: value })}
              />
              <td>
                <button
                  type="button"
                  className="quiet icon"
                  aria-label={words.glossary.remove(term.source)}
                  onClick={() => onTerms(terms.filter((_, index) => index !== row))}
                >
                  <Icon name="close" />
                </button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Cell({ label, value, onValue }: { label: string; value: string; onValue: (value: string) => void }) {
  return (
    <td>
      <input
        aria-label={label}
        value={value}
        dir="auto"
        maxLength={200}
        onChange={event => onValue(event.target.value)}
      />
    </td>
  );
}

function ImportButton({ onFile }: { onFile: (file: File) => void }) {
  const { words } = useSpeech();
  const input = useRef<HTMLInputElement>(null);
  const id = useId();
  return (
    <>
      <button type="button" onClick={() => input.current?.click()}>
        {words.glossary.import}
      </button>
      <input
        ref={input}
        id={id}
        type="file"
        hidden
        accept=".csv,.tsv,.txt,text/csv"
        onChange={event => {
          const [file] = event.target.files ?? [];
          event.target.value = "";
          if (file !== undefined) onFile(file);
        }}
      />
    </>
  );
}
