/** The languages the page speaks, and which one a person gets. */
import { en } from "./en";
import { ja } from "./ja";

/** The shape of the English catalogue: what another language lacks, or says too much, fails the type check. */
type Shape<T> = {
  readonly [K in keyof T]: T[K] extends (...args: infer Arguments) => string
    ? (...args: Arguments) => string
    : T[K] extends string
      ? string
      : Shape<T[K]>;
};

/** Everything the page says, in one language. */
export type Words = Shape<typeof en>;

export const catalogue = { en, ja } satisfies Readonly<Record<string, Words>>;

/** A language the page speaks. */
export type Tongue = keyof typeof catalogue;

export const tongues = Object.keys(catalogue) as Tongue[];

/** The first of the wanted languages (as `navigator.languages` has them) that the page speaks, else English. */
export function tongueFor(wanted: readonly string[]): Tongue {
  for (const tag of wanted) {
    const base = tag.toLowerCase().split("-")[0];
    const found = tongues.find(tongue => tongue === base);
    if (found !== undefined) return found;
  }
  return "en";
}
