/** The catalogue of models, in Japanese. */
import type { Words } from "../catalogue";
import { n } from "./count";

export const offers: Pick<Words, "offers"> = {
  offers: {
    title: "推奨モデル",
    node: (instance, memory, disk) =>
      `収まるかどうかは ${instance} (GPU メモリー ${memory}、ディスクの空き ${disk}) で判断しています。`,
    aNode: "ノード",
    notKnown: "不明",
    asOf: when => `${when} 時点。`,
    unknown: "ノードが一度も起動していないため、収まるかどうかはまだ分かりません。",
    language: "言語",
    any: "すべて",
    onlyFitting: "収まるものだけ",
    none: "該当するモデルはありません。",
    count: count => `${n(count)} 件`,
    many: "多言語",
    languages: "言語",
    context: "コンテキスト",
    tokens: count => `${count} トークン`,
    parameters: "パラメーター",
    download: "ダウンロード",
    memory: "動作時のメモリー",
    instance: "最小のインスタンス",
    licence: "ライセンス",
    source: "説明ページ",
    sourceOf: title => `${title} の説明ページ (新しいタブ)`,
    here: "追加済み",
    memoryFits: {
      yes: "GPU メモリーに収まります",
      no: "GPU メモリーに収まりません",
      unknown: "GPU メモリーに収まるかどうかは不明です",
    },
    diskFits: {
      yes: "ディスクに収まります",
      no: "ディスクに収まりません",
      unknown: "ディスクに収まるかどうかは不明です",
    },
    add: "追加",
    addOf: title => `${title} を追加`,
    reallyAdd: (title, memory, disk) =>
      `${title} は${memory}。また、${disk}。メモリーが足りないと応答が非常に遅いか、動作しません。ディスクが足りないとダウンロードに失敗します。それでも追加しますか。`,
    adding: title => `${title} を追加中`,
    added: title => `${title} を追加しました。`,
  },
};
