/** Where a text has the words that were searched for. */

interface Piece {
  readonly text: string;
  readonly hit: boolean;
}

/** Cuts a text into what was found in it and what stands between, whatever the case. */
export function cutBy(text: string, words: string): readonly Piece[] {
  if (words === "") return [{ text, hit: false }];
  const escaped = words.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
  return text
    .split(new RegExp(`(${escaped})`, "iu"))
    .map((piece, index) => ({ text: piece, hit: index % 2 === 1 }))
    .filter(piece => piece.text !== "");
}
