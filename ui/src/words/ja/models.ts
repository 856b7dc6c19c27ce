/** The models, in Japanese. */
import type { Words } from "../catalogue";

export const models: Pick<Words, "models"> = {
  models: {
    title: "モデル",
    name: "名前",
    size: "サイズ",
    changed: "更新日時",
    loaded: "読み込み済みのノード",
    none: "モデルがないか、休止中です。",
    pull: "モデルを追加",
    pullName: "モデルの名前",
    pullGo: "追加",
    pulling: status => `追加中: ${status}`,
    pulled: "モデルを追加しました。",
    remove: "削除",
    reallyRemove: name => `${name} をすべてのノードから削除しますか。`,
    wanted: "配布中",
    waiting: "待機中",
    onNode: "配布済み",
    failed: "失敗",
    progress: (name, node) => `${node} の ${name}`,
  },
};
