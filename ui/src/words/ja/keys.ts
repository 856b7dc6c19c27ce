/** The API keys, in Japanese. */
import type { Words } from "../catalogue";

export const keys: Pick<Words, "keys"> = {
  keys: {
    title: "API キー",
    id: "キー",
    owner: "所有者",
    actsAs: who => `${who} として利用`,
    roles: "ロール",
    created: "作成",
    expires: "期限",
    never: "なし",
    state: "状態",
    active: "有効",
    disabled: "失効",
    expired: "期限切れ",
    none: "キーはまだありません。",
    create: "キーを作成",
    rolesHint: "カンマ区切り。空欄なら一般ユーザーと同じ",
    days: "有効日数",
    make: "作成",
    shownOnce: "このキーは一度しか表示されません。今すぐコピーしてください。",
    revoke: "失効させる",
    reallyRevoke: owner =>
      `${owner} のキーを失効させますか。このキーを使うプログラムは数秒で使えなくなります。`,
  },
};
