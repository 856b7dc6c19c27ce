/** What can go wrong between the page and the gateway, and the sentence a translator reads for it. */
import type { Words } from "../words/catalogue";

/** Every kind has its sentence in the catalogue, under the same name. */
export type Kind = keyof Pick<
  Words["problems"],
  | "offline"
  | "expired"
  | "denied"
  | "limit"
  | "overloaded"
  | "waking"
  | "broken"
  | "tooLarge"
  | "fileKind"
  | "model"
  | "missing"
  | "gone"
  | "elsewhere"
  | "closed"
  | "tooLate"
  | "upstream"
  | "cut"
  | "invalid"
  | "withheld"
  | "internal"
>;

/** Something went wrong with a call. */
export class Problem extends Error {
  readonly kind: Kind;
  /** Seconds after which trying again is worth it, where the gateway said so. */
  readonly retryAfter: number | null;
  /** The gateway's own sentence, in English. */
  readonly said: string | null;
  /** `X-Request-Id`, for the people who run the service. */
  readonly reference: string | null;

  constructor(kind: Kind, more: Partial<Pick<Problem, "retryAfter" | "said" | "reference">> = {}) {
    super(kind);
    this.kind = kind;
    this.retryAfter = more.retryAfter ?? null;
    this.said = more.said ?? null;
    this.reference = more.reference ?? null;
  }
}

/** By status, as the gateway uses them for pages. */
const BY_STATUS: Readonly<Record<number, Kind>> = {
  400: "invalid",
  401: "expired",
  403: "denied",
  404: "missing",
  405: "invalid",
  408: "offline",
  409: "elsewhere",
  413: "tooLarge",
  414: "tooLarge",
  415: "fileKind",
  421: "invalid",
  422: "fileKind",
  429: "limit",
  431: "invalid",
  502: "upstream",
  503: "overloaded",
  504: "tooLate",
};

/** A refusal by its status line, fields and body. */
export function problemOfAnswer(status: number, fields: Headers, body: string): Problem {
  const said = sentenceIn(body);
  const known = BY_STATUS[status] ?? "internal";
  const kind = told(known, said);
  const wait = Number(fields.get("retry-after") ?? Number.NaN);
  return new Problem(kind, {
    retryAfter: Number.isFinite(wait) ? wait : null,
    said,
    reference: fields.get("x-request-id"),
  });
}

/** What the status leaves open: 404 is said for a model as for a route, 409 for a closed conversation as for a busy one. */
function told(kind: Kind, said: string | null): Kind {
  if (kind === "missing" && said?.startsWith("model ") === true) return "model";
  if (kind !== "elsewhere" || said === null || said.includes("written")) return kind;
  return said.includes("closed") ? "closed" : "invalid";
}

/** The gateway's form is `{"error": sentence}`; what else stands between us and it may answer anything. */
function sentenceIn(body: string): string | null {
  try {
    const parsed: unknown = JSON.parse(body);
    if (
      typeof parsed === "object" &&
      parsed !== null &&
      "error" in parsed &&
      typeof parsed.error === "string"
    ) {
      return parsed.error;
    }
  } catch {
    // A proxy's HTML page says nothing to a translator.
  }
  return null;
}

/** The `code` of an `error` event in a stream. */
const BY_CODE: Readonly<Record<string, Kind>> = {
  overloaded: "overloaded",
  waking: "waking",
  broken: "broken",
  limit: "limit",
  denied: "denied",
  upstream: "upstream",
  internal: "internal",
};

/** A refusal that came inside a stream. */
export function problemOfEvent(code: string, said: string, retryAfter: number | null): Problem {
  return new Problem(BY_CODE[code] ?? "internal", { said, retryAfter });
}

/** Whatever was thrown, as a problem. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  // `fetch` says TypeError for every reason that a page may not know: no route, no name, a refused origin.
  return error instanceof TypeError ? new Problem("offline") : new Problem("internal");
}

/** May the same call work later without the person changing anything? */
export function mayRetry(problem: Problem): boolean {
  return !["denied", "expired", "tooLarge", "fileKind", "invalid", "missing", "gone", "closed"].includes(
    problem.kind,
  );
}

/** Did the person, or the page in their name, end the call? */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

/** What is shown: the sentence, and where it helps what the gateway said and the reference. */
export function sentences(problem: Problem, words: Words): readonly string[] {
  const { problems } = words;
  const lines = [problems[problem.kind]];
  const detail = ["invalid", "model", "denied", "fileKind", "internal", "broken", "withheld"].includes(
    problem.kind,
  );
  if (detail && problem.said !== null) lines.push(problems.said(problem.said));
  if (problem.kind === "internal" && problem.reference !== null)
    lines.push(problems.reference(problem.reference));
  return lines;
}
