/** The frame of every room: doors, account, problems, windows, in Japanese. */
import type { Words } from "../catalogue";
import { duration } from "./count";

export const shell: Pick<
  Words,
  "language" | "skip" | "duration" | "rooms" | "account" | "broken" | "fleetChip" | "problems" | "dialog"
> = {
  language: "日本語",
  skip: "本文へ移動",
  duration,
  rooms: {
    label: "画面",
    translate: "翻訳",
    chat: "チャット",
    fleet: "稼働状況",
    models: "モデル",
    keys: "API キー",
    people: "利用状況",
    costs: "費用",
    admin: "管理",
  },
  account: {
    signIn: "サインイン",
    signOut: "サインアウト",
    signingIn: "サインインしています…",
    welcome: "サインインして翻訳を始めます",
    why: "入力した文章は社内の言語モデルだけに送られ、社外には送られません。",
    signedOut: "サインアウトしました。",
    again: "サインインの有効期限が切れました。もう一度サインインしてください。入力した文章は残っています。",
    unfinished: "サインインが完了しませんでした。もう一度お試しください。",
    refused: reason => `サインインが拒否されました: ${reason}`,
    unreachable:
      "サインインのサービスに接続できません。ネットワークまたは VPN を確認して、もう一度お試しください。",
    opaque:
      "サインインはできましたが、受け取ったトークンは宛先 (audience) がないため、翻訳サービスで確認できません。このページの管理者に「config.json に audience がありません」とお伝えください。",
    languageOfPage: "表示言語",
    appearance: "外観",
    auto: "端末に合わせる",
    light: "ライト",
    dark: "ダーク",
  },
  broken: {
    title: "ページの設定に誤りがあります",
    advice: "管理者に次の内容をお伝えください。",
    crash:
      "ページに不具合が起きました。履歴は残っています。再読み込みしてください。繰り返す場合は管理者にお知らせください。",
    reload: "再読み込み",
  },
  fleetChip: {
    label: "翻訳サービス",
    awake: "利用できます",
    asleep: "休止中",
    waking: "起動中",
    fallingAsleep: "休止に入ります",
    broken: "停止しています",
    unknown: "不明",
    asleepHint: seconds => `最初の翻訳でサーバーが起動します。およそ ${duration(seconds)} かかります。`,
  },
  problems: {
    offline: "サービスに接続できません。ネットワークまたは VPN を確認してください。",
    expired: "サインインの有効期限が切れました。もう一度サインインしてください。入力した文章は残っています。",
    denied: "このアカウントでは許可されていません。管理者にお問い合わせください。",
    limit: "利用の上限に達しました。",
    overloaded: "現在、混み合っています。",
    waking: "サーバーはまだ起動中です。",
    broken: "サーバーが起動できません。自動的に再試行しています。",
    tooLarge: "文章またはファイルが大きすぎます。",
    fileKind: "この形式のファイルは翻訳できません。",
    model: "必要なモデルが利用できません。管理者にお問い合わせください。",
    missing: "この環境ではこの機能を利用できません。",
    gone: "この会話は存在しないか、すでに削除されています。",
    elsewhere:
      "この会話には別のウィンドウまたは別の端末で書き込み中です。そちらの回答が終わるまでお待ちください。",
    closed: "この会話は終了しています。書き込むには再開してください。",
    tooLate: "時間がかかりすぎました。短い文章でお試しください。",
    upstream: "言語モデルに不具合が起きました。もう一度試すと成功することがあります。",
    cut: "接続が途中で切れました。届いた文章は残っています。",
    invalid: "ページが送った内容をサービスが理解できませんでした。",
    withheld:
      "監査ログに記録できないため、表示も変更もしませんでした。しばらくしてからもう一度お試しください。",
    internal: "サービスに不具合が起きました。もう一度お試しください。",
    tryIn: seconds => `${duration(seconds)}後に再試行できます。`,
    tryNow: "もう一度試す",
    said: text => `サービスからの説明: ${text}`,
    reference: id => `管理者への連絡用番号: ${id}`,
    dismiss: "閉じる",
  },
  dialog: { close: "閉じる", cancel: "キャンセル", confirm: "はい" },
};
