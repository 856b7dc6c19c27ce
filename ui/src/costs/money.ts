/** How money, shares, days and months are written in the language of the page. */
import { useMemo } from "react";

import { useSpeech } from "../words/speak";

function moneyFormat(tongue: string, currency: string): Intl.NumberFormat {
  try {
    return new Intl.NumberFormat(tongue, { style: "currency", currency });
  } catch {
    return new Intl.NumberFormat(tongue, { maximumFractionDigits: 2 }); // no currency that the standard knows
  }
}

export function useMoney(currency: string) {
  const { tongue } = useSpeech();
  return useMemo(() => {
    const money = moneyFormat(tongue, currency);
    const percent = new Intl.NumberFormat(tongue, { style: "percent", maximumFractionDigits: 0 });
    // Days and months are those of UTC, wherever one reads them.
    const day = new Intl.DateTimeFormat(tongue, { day: "numeric", month: "short", timeZone: "UTC" });
    const month = new Intl.DateTimeFormat(tongue, { month: "long", year: "numeric", timeZone: "UTC" });
    const at = (text: string, format: Intl.DateTimeFormat) => {
      const time = Date.parse(text);
      return Number.isNaN(time) ? text : format.format(time);
    };
    return {
      money: (amount: number) => money.format(amount),
      percent: (share: number) => percent.format(share),
      /** Of a `yyyy-mm-dd`. */
      day: (text: string) => at(text, day),
      /** Of a `yyyy-mm`. */
      month: (text: string) => at(text, month),
    };
  }, [tongue, currency]);
}
