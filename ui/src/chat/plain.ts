/** The small print of Markdown: characters written by name or number, and which addresses a link may lead to. */

/** The names that are written in practice; another stays as it is written, which loses nothing. */
const NAMED: ReadonlyMap<string, string> = new Map([
  ["amp", "&"],
  ["lt", "<"],
  ["gt", ">"],
  ["quot", '"'],
  ["apos", "'"],
  ["nbsp", "\u00a0"],
  ["copy", "©"],
  ["reg", "®"],
  ["deg", "°"],
  ["middot", "·"],
  ["ndash", "–"],
  ["mdash", "—"],
  ["hellip", "…"],
  ["times", "×"],
  ["rarr", "→"],
  ["larr", "←"],
  ["le", "≤"],
  ["ge", "≥"],
  ["ne", "≠"],
  ["euro", "€"],
]);

/** A text with its character references resolved. */
export function decoded(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#[xX]([\da-fA-F]{1,6})|([a-zA-Z]+));/g, (whole, decimal, hex, name) => {
    if (typeof name === "string") return NAMED.get(name) ?? whole;
    const code = typeof decimal === "string" ? Number(decimal) : Number.parseInt(String(hex), 16);
    return code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff)
      ? String.fromCodePoint(code)
      : "\ufffd";
  });
}

/** An address that a link may lead to, written out; null: none. Only whole addresses of the web and of mail are. */
export function safeAddress(text: string): string | null {
  if (!URL.canParse(text)) return null;
  const { protocol, href } = new URL(text);
  return ["http:", "https:", "mailto:"].includes(protocol) ? href : null;
}
