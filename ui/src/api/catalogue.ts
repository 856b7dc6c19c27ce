/** Models that are known to run well here, and whether they fit the nodes. */
import { type Door, ask } from "./door";
import { number, numberOrNull, object, objects, text, texts } from "./read";

export type Answer = "yes" | "no" | "unknown";

/** A model one could add. */
export interface Offer {
  readonly name: string;
  readonly title: string;
  /** Codes; null: many. */
  readonly languages: readonly string[] | null;
  /** Tokens. */
  readonly context: number;
  /** As `4B`. */
  readonly parameters: string;
  readonly download: number;
  /** Bytes of GPU memory that it needs at work. */
  readonly memory: number;
  /** The smallest that it fits. */
  readonly instance: string;
  readonly licence: string;
  /** Where it is described; empty unless it is an `https` address. */
  readonly source: string;
  readonly note: string;
  /** Is it in the fleet already? */
  readonly here: boolean;
  readonly fits: { readonly memory: Answer; readonly disk: Answer; readonly sentence: string };
}

/** What the answers were reckoned for. */
export interface NodeFacts {
  readonly instance: string | null;
  readonly gpuMemory: number | null;
  readonly diskFree: number | null;
  /** When that was so, in seconds since 1970. */
  readonly asOf: number | null;
}

export interface Catalogue {
  readonly offers: readonly Offer[];
  readonly node: NodeFacts;
}

/** `GET /fleet/catalogue`. */
export async function catalogue(door: Door, signal?: AbortSignal): Promise<Catalogue> {
  return catalogueOf(await ask(door, "/fleet/catalogue", { signal }));
}

const answerOf = (value: unknown): Answer => (value === "yes" || value === "no" ? value : "unknown");

/** Nothing but an address that a browser may go to. */
const addressOf = (value: unknown) => (text(value).startsWith("https://") ? text(value) : "");

export function catalogueOf(value: unknown): Catalogue {
  const fields = object(value);
  const node = object(fields.node);
  return {
    offers: objects(fields.models).map(offerOf),
    node: {
      instance: text(node.instance_type) || null,
      gpuMemory: numberOrNull(node.gpu_memory_bytes),
      diskFree: numberOrNull(node.disk_free_bytes),
      asOf: numberOrNull(node.as_of),
    },
  };
}

function offerOf(fields: Readonly<Record<string, unknown>>): Offer {
  const fits = object(fields.fits);
  const languages = texts(fields.languages);
  return {
    name: text(fields.name),
    title: text(fields.title) || text(fields.name),
    languages: languages.includes("many") || fields.languages === "many" ? null : languages,
    context: number(fields.context),
    parameters: text(fields.parameters),
    download: number(fields.download_bytes),
    memory: number(fields.memory_bytes),
    instance: text(fields.instance_type),
    licence: text(fields.licence),
    source: addressOf(fields.source),
    note: text(fields.note),
    here: fields.here === true,
    fits: { memory: answerOf(fits.memory), disk: answerOf(fits.disk), sentence: text(fits.sentence) },
  };
}
