/** The translator: a bar of choices, two panes (or pairs), where the job stands, files. */
import { type RefObject, useRef, useState } from "react";

import type { Detected } from "../api/translation";
import { ProblemNotice } from "../parts/notice";
import { useSpeech } from "../words/speak";
import { Choices } from "./choices";
import { type Amount, measure } from "./counts";
import type { Entry } from "./device";
import { FileList } from "./file-list";
import { needed } from "./glossary";
import { GlossaryDialog } from "./glossary-dialog";
import { HistoryDialog } from "./history-dialog";
import { type Segment, hasResult, resultOf, segmentAt } from "./job";
import { KeyboardDialog } from "./keyboard-dialog";
import { LanguageBar } from "./language-bar";
import { Pairs } from "./pairs";
import { ResultPane } from "./result-pane";
import { SourcePane } from "./source-pane";
import { Status } from "./status";
import { noteRecent } from "./tongues";
import { type Desk, useDesk } from "./use-desk";
import { useDetection } from "./use-detection";
import { useDrop } from "./use-drop";
import { type Files, useFiles } from "./use-files";
import { useShortcuts } from "./use-shortcuts";
import { type Translation, useTranslation } from "./use-translation";

/** The windows that can stand open over the room. */
export type Window = "glossary" | "history" | "keyboard";

/** Everything of the room that its parts share. */
export interface Table {
  readonly desk: Desk;
  readonly translation: Translation;
  readonly files: Files;
  readonly detected: Detected | null;
  readonly amount: Amount;
  readonly field: RefObject<HTMLTextAreaElement | null>;
  readonly sideBySide: boolean;
  readonly setSideBySide: (on: boolean) => void;
  readonly open: (window: Window | null) => void;
  readonly translate: () => void;
  /** Null: nothing to translate, or too much. */
  readonly ready: boolean;
}

export function TranslateRoom() {
  const { words } = useSpeech();
  const [window, open] = useState<Window | null>(null);
  const [current, setCurrent] = useState<number | null>(null);
  const [refused, setRefused] = useState<string | null>(null);
  const table = useTable(open);
  const { desk, translation, files, field } = table;
  const { copied, copy } = useCopy(table, setRefused);
  const swap = swapOf(table);
  const take = (chosen: readonly File[]) => setRefused(taken(chosen, table, words));
  const over = useDrop(take);
  const follow = (segment: Segment) => {
    setCurrent(segment.index);
    if (!table.sideBySide) pointAt(field.current, segment);
  };
  useKeys(table, swap, copy);
  return (
    <div className={over ? "translate dropping" : "translate"}>
      <h1 className="for-ears">{words.rooms.translate}</h1>
      <LanguageBar
        {...desk}
        {...desk.draft}
        detected={table.detected}
        onSource={source => desk.change({ source })}
        onTarget={target => desk.change({ target })}
        onSwap={swap}
      />
      <Choices table={table} />
      {desk.service.problem !== null && (
        <ProblemNotice problem={desk.service.problem} onRetry={desk.service.reload} />
      )}
      <Panes
        table={table}
        current={current}
        setCurrent={setCurrent}
        follow={follow}
        copied={copied}
        copy={copy}
        take={take}
      />
      {refused !== null && (
        <p className="notice problem" role="alert">
          {refused}
        </p>
      )}
      <Status job={translation.job} onRetry={table.translate} onForgive={translation.forgive} />
      <FileList files={files} />
      {over && (
        <div className="drop" aria-hidden="true">
          {words.files.drop}
        </div>
      )}
      <Windows window={window} table={table} />
    </div>
  );
}

function useKeys(table: Table, swap: (() => void) | null, copy: () => void): void {
  const { translation, field, open } = table;
  useShortcuts({
    translate: table.translate,
    stop: translation.stop,
    swap: () => swap?.(),
    copy,
    view: () => table.setSideBySide(!table.sideBySide),
    source: () => field.current?.focus(),
    help: () => open("keyboard"),
  });
}

function useTable(open: Table["open"]): Table {
  const desk = useDesk();
  const translation = useTranslation();
  const files = useFiles();
  const field = useRef<HTMLTextAreaElement>(null);
  const [sideBySide, setSideBySide] = useState(false);
  const { text, source, target, tone } = desk.draft;
  const guess = useDetection(text, source === "auto");
  const amount = measure(text, desk.limits);
  const ready = text.trim() !== "" && target !== "" && amount.over === 0;
  const translate = () => {
    if (!ready) return;
    noteRecent(target, source);
    translation.start({ q: text, source, target, tone, glossary: needed(desk.terms, text).terms });
  };
  // What the service found counts for the text it was asked about, and the guess for what is being typed.
  const detected = translation.job.wish?.q === text ? (translation.job.detected ?? guess) : guess;
  return {
    desk,
    translation,
    files,
    detected,
    amount,
    field,
    sideBySide,
    setSideBySide,
    open,
    translate,
    ready,
  };
}

/** Swapping turns the translation into the text. It needs to know what it was translated from. */
function swapOf({ desk, translation, detected }: Table): (() => void) | null {
  const { job } = translation;
  const { source, target, text } = desk.draft;
  const from = source === "auto" ? detected?.language : source;
  if (from === undefined || target === "") return null;
  return () => {
    const turned = job.wish?.q === text && hasResult(job) ? resultOf(job) : text;
    translation.clear();
    desk.change({ source: target, target: from, text: turned });
  };
}

/** Sends files that the service takes; gives the sentence for the first that it does not. */
function taken(
  chosen: readonly File[],
  { desk, files }: Table,
  words: ReturnType<typeof useSpeech>["words"],
): string | null {
  let refused: string | null = null;
  for (const file of chosen) {
    const known = desk.kinds.some(kind => file.name.toLowerCase().endsWith(kind));
    const { fileBytes } = desk.limits;
    if (!known) refused ??= words.files.wrongKind(file.name, desk.kinds.join(" "));
    else if (file.size > fileBytes)
      refused ??= words.files.tooLarge(file.name, `${Math.floor(fileBytes / 1024 / 1024)} MiB`);
    else files.add(file, desk.draft);
  }
  return refused;
}

function useCopy({ translation }: Table, refuse: (sentence: string) => void) {
  const { words } = useSpeech();
  const [copied, setCopied] = useState<string | null>(null);
  const text = resultOf(translation.job);
  const copy = () => {
    if (text === "") return;
    navigator.clipboard.writeText(text).then(
      () => setCopied(text),
      () => refuse(words.result.copyFailed),
    );
  };
  return { copied: copied !== null && copied === text, copy };
}

/** Selects a segment's source in the text field, and brings it into sight. */
function pointAt(field: HTMLTextAreaElement | null, { from, to }: Segment): void {
  if (field === null) return;
  field.focus();
  field.setSelectionRange(from, to);
}

interface PanesProps {
  readonly table: Table;
  readonly current: number | null;
  readonly setCurrent: (index: number | null) => void;
  readonly follow: (segment: Segment) => void;
  readonly copied: boolean;
  readonly copy: () => void;
  readonly take: (files: readonly File[]) => void;
}

function Panes({ table, current, setCurrent, follow, copied, copy, take }: PanesProps) {
  const { desk, translation, amount, field, detected } = table;
  const { job } = translation;
  const { text, source, target } = desk.draft;
  const busy = job.phase === "running" || job.again !== null;
  if (table.sideBySide)
    return <Pairs job={job} current={current} onCurrent={follow} onAgain={busy ? null : translation.again} />;
  const clear = () => {
    desk.change({ text: "" });
    translation.clear();
    field.current?.focus();
  };
  return (
    <div className="panes">
      <SourcePane
        field={field}
        text={text}
        language={source === "auto" ? (detected?.language ?? "auto") : source}
        amount={amount}
        limits={desk.limits}
        kinds={desk.kinds}
        onText={changed => desk.change({ text: changed })}
        onPlace={place => setCurrent(job.wish?.q === text ? segmentAt(job, place) : null)}
        onClear={clear}
        onFiles={take}
      />
      <ResultPane
        job={job}
        target={target}
        current={current}
        onCurrent={follow}
        copied={copied}
        onCopy={copy}
      />
    </div>
  );
}

function Windows({ window, table }: { window: Window | null; table: Table }) {
  const { desk, translation, open } = table;
  const close = () => open(null);
  const recall = (entry: Entry) => {
    const { q, source, target, tone } = entry;
    desk.change({ text: q, source, target, tone });
    translation.recall({ q, source, target, tone, glossary: [] }, entry.text);
    close();
  };
  switch (window) {
    case "glossary":
      return (
        <GlossaryDialog
          target={desk.draft.target}
          terms={desk.terms}
          onTerms={desk.setTerms}
          onClose={close}
        />
      );
    case "history":
      return <HistoryDialog onOpen={recall} onClose={close} />;
    case "keyboard":
      return <KeyboardDialog onClose={close} />;
    case null:
      return null;
  }
}
