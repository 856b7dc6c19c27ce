/** How much a text is, against what the service takes at once. */
import type { Limits } from "../config";

/** How many bytes of a letter script make a token, roughly, in the vocabularies of current models. */
const LETTERS_PER_TOKEN = 4;

/** Scripts without spaces, where a token is about one character. */
const DENSE =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/gu;

export interface Amount {
  /** Unicode characters, as the service counts them. */
  readonly characters: number;
  /** An estimate; only the model knows. */
  readonly tokens: number;
  /** Characters over the limit, or 0. */
  readonly over: number;
  readonly tooManyTokens: boolean;
}

export function measure(text: string, limits: Limits): Amount {
  const characters = Array.from(text).length;
  const dense = text.match(DENSE)?.length ?? 0;
  const tokens = dense + Math.ceil((characters - dense) / LETTERS_PER_TOKEN);
  return {
    characters,
    tokens,
    over: Math.max(0, characters - limits.characters),
    tooManyTokens: tokens > limits.tokens,
  };
}
