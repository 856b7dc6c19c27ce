/** The languages one translates between: which are offered, which were used of late, and which way they are written. */
import type { Language } from "../api/translation";
import { keep, kept } from "../shell/preferences";

/** Written from right to left; by code, since not every browser can tell. */
const RIGHT_TO_LEFT = new Set(["ar", "arc", "ckb", "dv", "fa", "he", "iw", "ps", "sd", "ug", "ur", "yi"]);

export function directionOf(code: string): "ltr" | "rtl" | "auto" {
  if (code === "auto") return "auto";
  return RIGHT_TO_LEFT.has(code.toLowerCase().split("-")[0] ?? "") ? "rtl" : "ltr";
}

/** Into which languages one can translate from this one. */
export function targetsFor(languages: readonly Language[], source: string): readonly Language[] {
  const from = languages.find(language => language.code === source);
  if (from === undefined || from.targets.length === 0) return languages;
  return languages.filter(({ code }) => code !== source && from.targets.includes(code));
}

/** The target to begin with: the kept one, else the page's own language, else English, else any. */
export function firstTarget(languages: readonly Language[], kept: string, page: string): string {
  const offered = (code: string) => languages.some(language => language.code === code);
  return [kept, page, "en"].find(offered) ?? languages[0]?.code ?? "";
}

/** How many languages are offered first. */
const RECENT = 4;

export function recent(): readonly string[] {
  return (kept("recent") ?? "").split(" ").filter(code => code !== "");
}

/** Puts used languages before the others. */
export function noteRecent(...codes: readonly string[]): void {
  const used = codes.filter(code => code !== "auto" && code !== "");
  keep("recent", [...new Set([...used, ...recent()])].slice(0, RECENT).join(" "));
}
