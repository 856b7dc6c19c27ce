/** Usage and who is shut out, in Japanese. */
import type { Words } from "../catalogue";

export const people: Pick<Words, "people"> = {
  people: {
    title: "利用状況",
    mine: "あなたの直近 31 日間",
    everybody: "全員の直近 31 日間",
    person: "利用者またはキー",
    requests: "リクエスト",
    prompt: "入力トークン",
    output: "出力トークン",
    gpu: "GPU 時間",
    days: "日別",
    day: (day, requests) => `${day}: ${requests} 件`,
    none: "利用はまだありません。",
    denials: "利用停止",
    noDenials: "利用停止中の人はいません。",
    deny: "利用停止にする",
    denyWho: "利用者またはキー",
    denyWhy: "理由",
    reallyDeny: who => `${who} を利用停止にしますか。10 秒以内に反映されます。`,
    allow: "停止を解除",
    since: "開始",
    copyName: "利用停止…",
  },
};
