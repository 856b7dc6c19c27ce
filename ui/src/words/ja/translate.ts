/** The translator, in Japanese. */
import type { Words } from "../catalogue";
import { duration, n } from "./count";

export const translate: Pick<
  Words,
  | "languages"
  | "source"
  | "result"
  | "view"
  | "marks"
  | "wait"
  | "tone"
  | "glossary"
  | "history"
  | "files"
  | "keyboard"
> = {
  languages: {
    from: "翻訳元の言語",
    to: "翻訳先の言語",
    auto: "言語を自動検出",
    detected: name => `${name} (検出)`,
    recent: "最近使った言語",
    all: "すべての言語",
    swap: "言語を入れ替える",
    swapNeedsSource: "入れ替えるには、翻訳元の言語を選ぶか、一度翻訳してください。",
  },
  source: {
    label: "翻訳する文章",
    placeholder: "文章を入力または貼り付けるか、ファイルをここにドロップしてください",
    clear: "消去",
    characters: (used, limit) => `${used} / ${limit} 文字`,
    tokens: (used, limit) => `約 ${used} / ${limit} トークン`,
    tooLong: over => `${over} 文字超えています。短くするか、ファイルとして翻訳してください。`,
    tooManyTokens: "モデルには長すぎるようです。短くするか、ファイルとして翻訳してください。",
  },
  result: {
    label: "訳文",
    empty: "ここに訳文が表示されます",
    translate: "翻訳",
    stop: "中止",
    copy: "コピー",
    copied: "コピーしました",
    copyFailed: "ブラウザーがコピーを許可しませんでした。文章を選択してキーボードでコピーしてください。",
    save: "テキストファイルに保存",
    running: (done, total) => (total > 0 ? `翻訳中: ${n(done)} / ${n(total)}` : "翻訳中"),
    done: count => `${n(count)} 個の文節を翻訳しました。`,
    doneMarked: count => `翻訳しました。印の付いた ${n(count)} 個の文節を確認してください。`,
    stopped: "中止しました。届いた訳文は残っています。",
    tokens: (prompt, output) => `入力 ${prompt} トークン、出力 ${output} トークン`,
  },
  view: {
    label: "表示",
    text: "文章",
    segments: "対訳",
    retry: number => `文節 ${n(number)} を翻訳し直す`,
    segment: number => `文節 ${n(number)}`,
    source: "原文",
    target: "訳文",
    pending: "未翻訳",
  },
  marks: {
    language: "指定した言語になっていない可能性があります。",
    tags: "タグが欠けているか、変わっています。",
    placeholders: "プレースホルダーが欠けているか、変わっています。",
    numbers: "数字が原文と異なります。",
    urls: "URL が原文と異なります。",
    length: "長さが原文と大きく異なります。",
    glossary: "用語集の訳語が使われていません。",
    unknown: "この文節を確認してください。",
  },
  wait: {
    queued: "現在、多くの人が翻訳しています。順番をお待ちください。",
    asleep: "翻訳サーバーは休止しています。起動しています。",
    waking: "翻訳サーバーを起動しています。",
    left: seconds => `あと約 ${duration(seconds)} です。自動的に続行します。`,
    soon: "まもなく始まります。自動的に続行します。",
    unknown: "自動的に続行します。",
  },
  tone: { label: "文体", neutral: "標準", formal: "丁寧", informal: "くだけた" },
  glossary: {
    title: "用語集",
    open: count => (count > 0 ? `用語集 (${n(count)})` : "用語集"),
    about: language => `${language}への翻訳に使う用語です。この端末に保存されます。`,
    source: "用語",
    target: "訳語",
    add: "用語を追加",
    remove: term => `${term || "空の行"}を削除`,
    import: "CSV を読み込む",
    export: "CSV に書き出す",
    imported: (added, changed) => `${n(added)} 件を追加し、${n(changed)} 件を変更しました。`,
    nothing: "用語が見つかりませんでした。用語と訳語の 2 列が必要です。",
    empty: "用語はまだありません。",
    tooMany: limit =>
      `この文章には ${n(limit)} 件を超える用語が含まれています。最初の ${n(limit)} 件を使います。`,
  },
  history: {
    title: "履歴",
    about: "この端末だけに保存されます。",
    keep: "この端末に履歴を残す",
    search: "検索",
    none: "履歴はまだありません。",
    noneFound: "見つかりませんでした。",
    open: "開く",
    remove: "削除",
    removeAll: "すべて削除",
    reallyAll: "この端末に保存した履歴をすべて削除しますか。",
    unavailable: "このブラウザーでは履歴を保存できません。",
  },
  files: {
    title: "ファイル",
    choose: "ファイルを翻訳",
    drop: "ドロップすると翻訳します",
    kinds: kinds => `対応形式: ${kinds}`,
    wrongKind: (name, kinds) => `${name} の形式には対応していません。対応形式: ${kinds}`,
    tooLarge: (name, limit) => `${name} は ${limit} を超えています。分割してください。`,
    sending: "送信中",
    running: (done, total) => `${n(done)} / ${n(total)} 文節`,
    done: "完了",
    download: "ダウンロード",
    remove: name => `${name} を一覧から除く`,
    stop: name => `${name} の翻訳を中止`,
    again: "もう一度試す",
  },
  keyboard: {
    title: "キーボード",
    open: "キーボード操作",
    translate: "翻訳する",
    stop: "中止する、またはウィンドウを閉じる",
    swap: "言語を入れ替える",
    copy: "訳文をコピーする",
    view: "文章と対訳を切り替える",
    source: "文章の入力欄へ移動する",
    align: "入力欄では、矢印キーで対応する訳文が示されます",
    help: "この一覧を開く",
  },
};
