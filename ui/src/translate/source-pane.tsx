/** Where one types: the text, what it amounts to against the limits, and the way to send a file instead. */
import { type RefObject, useRef } from "react";

import type { Limits } from "../config";
import { Icon } from "../parts/icon";
import { useSpeech } from "../words/speak";
import type { Amount } from "./counts";
import { directionOf } from "./tongues";

interface Props {
  readonly field: RefObject<HTMLTextAreaElement | null>;
  readonly text: string;
  /** Code of the language, as far as it is known. */
  readonly language: string;
  readonly amount: Amount;
  readonly limits: Limits;
  readonly kinds: readonly string[];
  readonly onText: (text: string) => void;
  readonly onPlace: (place: number) => void;
  readonly onClear: () => void;
  readonly onFiles: (files: readonly File[]) => void;
}

export function SourcePane({ field, ...props }: Props) {
  const { words } = useSpeech();
  const { text, language } = props;
  return (
    <section className="pane" aria-label={words.source.label}>
      <textarea
        ref={field}
        id="source"
        value={text}
        lang={language === "auto" ? undefined : language}
        dir={text === "" ? undefined : directionOf(language)}
        placeholder={words.source.placeholder}
        aria-label={words.source.label}
        aria-describedby="amount"
        aria-invalid={props.amount.over > 0}
        spellCheck
        onChange={event => props.onText(event.target.value)}
        onSelect={event => props.onPlace(event.currentTarget.selectionStart)}
      />
      <div className="pane-foot">
        <AmountLine amount={props.amount} limits={props.limits} />
        <div className="row">
          <FileButton kinds={props.kinds} onFiles={props.onFiles} />
          {text !== "" && (
            <button
              type="button"
              className="quiet icon"
              aria-label={words.source.clear}
              title={words.source.clear}
              onClick={props.onClear}
            >
              <Icon name="close" />
            </button>
          )}
        </div>
      </div>
    </section>
  );
}

function AmountLine({ amount, limits }: Pick<Props, "amount" | "limits">) {
  const { words, count } = useSpeech();
  const { over, tooManyTokens } = amount;
  return (
    <div id="amount" className="amount">
      <p className={over > 0 ? "over" : ""}>
        {words.source.characters(count(amount.characters), count(limits.characters))}
      </p>
      <p className={tooManyTokens ? "over" : ""}>
        {words.source.tokens(count(amount.tokens), count(limits.tokens))}
      </p>
      {(over > 0 || tooManyTokens) && (
        <p role="alert" className="over wide">
          {over > 0 ? words.source.tooLong(count(over)) : words.source.tooManyTokens}
        </p>
      )}
    </div>
  );
}

function FileButton({ kinds, onFiles }: Pick<Props, "kinds" | "onFiles">) {
  const { words } = useSpeech();
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <button
        type="button"
        className="quiet"
        title={words.files.kinds(kinds.join(" "))}
        onClick={() => input.current?.click()}
      >
        <Icon name="file" />
        {words.files.choose}
      </button>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        accept={kinds.join(",")}
        onChange={event => {
          onFiles([...(event.target.files ?? [])]);
          event.target.value = "";
        }}
      />
    </>
  );
}
