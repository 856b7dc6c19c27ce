/** The few sentences that the stand-in knows a translation of; everything else comes back as it was. */

const JAPANESE: Readonly<Record<string, string>> = {
  "Before you open the cover, switch off the pump and wait until the pressure gauge shows 0 bar.":
    "カバーを開ける前に、ポンプを停止し、圧力計が 0 bar を示すまで待ってください。",
  "Residual pressure can throw parts out of the housing.":
    "残圧により、部品がハウジングから飛び出すことがあります。",
  "Replace the filter cartridge every 500 operating hours.":
    "フィルターカートリッジは 500 運転時間ごとに交換してください。",
  "Write the date on the label {label_id} and enter it in the service log.":
    "ラベル {label_id} に日付を記入し、整備記録に記録してください。",
  "If the warning light stays on, call our service desk: https://service.example.com/pumps.":
    "警告灯が消えない場合は、サービス窓口にお問い合わせください: https://service.example.com/pumps",
};

const ARABIC: Readonly<Record<string, string>> = {
  "Residual pressure can throw parts out of the housing.":
    "قد يؤدي الضغط المتبقي إلى قذف الأجزاء خارج الغلاف.",
};

/** The text of the screenshots. */
export const MANUAL = `${Object.keys(JAPANESE).slice(0, 2).join(" ")}\n\n${Object.keys(JAPANESE).slice(2).join("\n")}`;

export function phrase(source: string, target: string): string {
  return (target === "ja" ? JAPANESE : target === "ar" ? ARABIC : {})[source] ?? source;
}

export interface Part {
  readonly index: number;
  readonly source: string;
  readonly before: string;
  readonly after: string;
}

/** Sentences and lines, with the white space around them. */
export function parts(q: string): Part[] {
  const found = [...q.matchAll(/[^\s](?:[^\n]*?[.!?。！？](?=\s|$)|[^\n]*)/g)];
  return found.map((match, index) => {
    const source = match[0].trimEnd();
    const end = match.index + source.length;
    return {
      index,
      source,
      before: index === 0 ? q.slice(0, match.index) : "",
      after: q.slice(end, found[index + 1]?.index ?? q.length),
    };
  });
}
