/** What the page is told about its surroundings: `config.json`, read once at the start and checked whole. */

/** Everything that differs between two installations of the same build. */
export interface Config {
  /** What the page is called. */
  readonly name: string;
  /** Origin of the API without a slash at its end; empty: the page's own. */
  readonly api: string;
  /** Who signs people in, as in its `openid-configuration`. */
  readonly issuer: string;
  readonly clientId: string;
  /** Asked for at the issuer; some (Auth0) give an opaque token without one. Empty: not asked for (Cognito). */
  readonly audience: string;
  /** Separated by spaces. */
  readonly scopes: string;
  /** Where sign-out leads, with `{client_id}` and `{return_to}`; empty: the issuer's `end_session_endpoint`. */
  readonly logoutUrl: string;
  /** The claim of the identity token that lists groups. Only what is shown depends on it; the gateway decides. */
  readonly groupsClaim: string;
  readonly operatorGroups: readonly string[];
  readonly adminGroups: readonly string[];
  readonly limits: Limits;
}

/** What one may send at once. The gateway has the last word; these are shown as one types. */
export interface Limits {
  /** Unicode characters of one text. */
  readonly characters: number;
  /** Tokens of one text, of which the page shows an estimate. */
  readonly tokens: number;
  /** Bytes of one file. */
  readonly fileBytes: number;
}

/** Every mistake of a `config.json`, each naming its key. They are for who installs the page, and so in English only. */
export class ConfigError extends Error {
  readonly mistakes: readonly string[];

  constructor(mistakes: readonly string[]) {
    super(mistakes.join("; "));
    this.mistakes = mistakes;
  }
}

type Raw = Readonly<Record<string, unknown>>;

/** Reads values of one object by key and notes what is wrong with them. */
class Reader {
  private readonly seen = new Set<string>();
  private readonly raw: Raw;
  private readonly mistakes: string[];
  private readonly prefix: string;

  constructor(raw: Raw, mistakes: string[], prefix = "") {
    this.raw = raw;
    this.mistakes = mistakes;
    this.prefix = prefix;
  }

  text(key: string, otherwise?: string): string {
    const value = this.take(key) ?? otherwise;
    if (typeof value === "string" && (value !== "" || otherwise === "")) return value;
    this.wrong(key, "must be a text");
    return "";
  }

  address(key: string, otherwise?: string): string {
    const value = this.text(key, otherwise);
    if (value !== "" && !isSafeAddress(value)) {
      this.wrong(key, "must be an https address (http only for 127.0.0.1 and localhost)");
    }
    return value;
  }

  names(key: string): readonly string[] {
    const value = this.take(key) ?? [];
    if (Array.isArray(value) && value.every(name => typeof name === "string")) return value;
    this.wrong(key, "must be a list of texts");
    return [];
  }

  count(key: string, otherwise: number): number {
    const value = this.take(key) ?? otherwise;
    if (typeof value === "number" && Number.isSafeInteger(value) && value > 0) return value;
    this.wrong(key, "must be a whole number above 0");
    return otherwise;
  }

  below(key: string): Reader {
    const value = this.take(key) ?? {};
    if (isObject(value)) return new Reader(value, this.mistakes, `${this.prefix}${key}.`);
    this.wrong(key, "must be an object");
    return new Reader({}, this.mistakes, `${this.prefix}${key}.`);
  }

  /** A key that nothing reads is a slip of the pen. */
  end(): void {
    for (const key of Object.keys(this.raw)) {
      if (!this.seen.has(key)) this.wrong(key, "is not known");
    }
  }

  private take(key: string): unknown {
    this.seen.add(key);
    return this.raw[key];
  }

  private wrong(key: string, what: string): void {
    this.mistakes.push(`${this.prefix}${key} ${what}`);
  }
}

/** Checks a whole configuration. Throws `ConfigError` with all mistakes together. */
export function readConfig(raw: unknown): Config {
  if (!isObject(raw)) throw new ConfigError(["config.json must hold one object"]);
  const mistakes: string[] = [];
  const top = new Reader(raw, mistakes);
  const limits = top.below("limits");
  const config: Config = {
    name: top.text("name", "Translate"),
    api: top.address("api", "").replace(/\/+$/, ""),
    issuer: top.address("issuer"),
    clientId: top.text("client_id"),
    audience: top.text("audience", ""),
    scopes: top.text("scopes", "openid profile email"),
    logoutUrl: top.address("logout_url", ""),
    groupsClaim: top.text("groups_claim", "groups"),
    operatorGroups: top.names("operator_groups"),
    adminGroups: top.names("admin_groups"),
    limits: {
      characters: limits.count("characters", 20_000),
      tokens: limits.count("tokens", 8_000),
      fileBytes: limits.count("file_bytes", 10 * 1024 * 1024),
    },
  };
  top.end();
  limits.end();
  if (mistakes.length > 0) throw new ConfigError(mistakes);
  return config;
}

/** Fetches and checks `config.json` beside the page. */
export async function fetchConfig(): Promise<Config> {
  // The same mode as the preload in index.html, or the browser fetches it twice.
  const answer = await fetch("./config.json", { credentials: "same-origin", cache: "no-cache" });
  if (!answer.ok) throw new ConfigError([`config.json could not be read: status ${answer.status}`]);
  try {
    return readConfig(await answer.json());
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError(["config.json is no JSON"]);
  }
}

function isObject(value: unknown): value is Raw {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A token must never travel in the clear, nor an address be anything but one. */
function isSafeAddress(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  return protocol === "https:" || (protocol === "http:" && ["127.0.0.1", "localhost"].includes(hostname));
}
