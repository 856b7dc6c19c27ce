/** The stand-in's front: the built page under `/ui/` and at the root, and the API, on one origin. */
import { readFile } from "node:fs/promises";
import { type IncomingMessage, type ServerResponse, createServer } from "node:http";
import { extname, join, normalize } from "node:path";

import { catalogue } from "./catalogue";
import { issuer, token } from "./issuer";
import { moderate } from "./moderation";
import { conversations } from "./talk";
import { file, guess, text } from "./translation";
import { type Listening, bodyOf, listening, pause, sendJson } from "./web";
import { type World, history, usage, world as newWorld } from "./world";

const DIST = join(import.meta.dirname, "..", "..", "dist");

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

const NAMES: Readonly<Record<string, string>> = {
  ar: "Arabic",
  de: "German",
  en: "English",
  es: "Spanish",
  fr: "French",
  he: "Hebrew",
  it: "Italian",
  ja: "Japanese",
  ko: "Korean",
  pt: "Portuguese",
  zh: "Chinese",
};

export interface StandIn extends Listening {
  readonly world: World;
  readonly issuer: string;
  readonly adminToken: string;
}

/** Only the page, at the root of an address, as any web server would have it. */
export async function pageAlone(
  address: string,
  config: Record<string, unknown>,
  policy: string,
): Promise<Listening> {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", address);
    page(pathname, response, config, policy).catch(() => response.destroy());
  });
  return listening(server, Number(new URL(address).port));
}

export async function standIn(): Promise<StandIn> {
  const world = newWorld();
  const signsIn = await issuer();
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://any");
    const done = isOfPage(pathname)
      ? page(pathname, response, config(signsIn.url), policy([signsIn.url]))
      : api(request, response, world);
    done.catch(() => response.destroy());
  });
  const front = await listening(server);
  const close = async () => {
    await Promise.all([front.close(), signsIn.close()]);
  };
  return {
    ...front,
    close,
    world,
    issuer: signsIn.url,
    adminToken: token({ sub: "admin", groups: ["ollama-admins"] }),
  };
}

/** As a front would send it: only itself and the origins named, the issuer's among them. */
export const policy = (origins: readonly string[]) =>
  `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self' ${origins.join(" ")}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'`;

/** Of the page: everything under `/ui/`, and the same at the root as long as it looks like a file. */
const isOfPage = (path: string) =>
  path === "/" || path.startsWith("/ui/") || path === "/config.json" || TYPES[extname(path)] !== undefined;

async function page(
  asked: string,
  response: ServerResponse,
  settings: Record<string, unknown>,
  csp: string,
): Promise<void> {
  const path = asked.replace(/^\/ui\//, "/");
  if (path.endsWith("/config.json")) {
    sendJson(response, 200, settings);
    return;
  }
  const name = normalize(path.endsWith("/") ? "/index.html" : path);
  const content = await readFile(join(DIST, name)).catch(() => null);
  if (content === null) {
    sendJson(response, 404, { error: "there is no such file" });
    return;
  }
  response.writeHead(200, {
    "content-type": TYPES[extname(name)] ?? "application/octet-stream",
    "content-security-policy": csp,
    "x-content-type-options": "nosniff",
  });
  response.end(content);
}

function config(signsIn: string): Record<string, unknown> {
  return {
    name: "Translate",
    issuer: signsIn,
    client_id: "page",
    audience: "ollama",
    groups_claim: "groups",
    operator_groups: ["ollama-operators"],
    admin_groups: ["ollama-admins"],
  };
}

/** Who asks, by the unsigned token; null for nobody. */
function caller(request: IncomingMessage): { sub: string; admin: boolean } | null {
  const claims = /^Bearer [\w-]+\.([\w-]+)\.unsigned$/.exec(request.headers.authorization ?? "")?.[1];
  if (claims === undefined) return null;
  const { sub, groups } = JSON.parse(Buffer.from(claims, "base64url").toString()) as {
    sub: string;
    groups: string[];
  };
  return { sub, admin: groups.includes("ollama-admins") };
}

async function api(request: IncomingMessage, response: ServerResponse, world: World): Promise<void> {
  const who = caller(request);
  if (who === null) {
    sendJson(response, 401, { error: "a valid token or API key is needed" });
    return;
  }
  const path = request.url ?? "/";
  const route = `${request.method ?? ""} ${path}`;
  if (route.startsWith("POST /translate") && who.sub === "limited" && ++world.limited > 5) {
    sendJson(response, 429, { error: "too many requests; try again in 12 s" }, { "retry-after": "12" });
    return;
  }
  if (/^\/conversations(?:[/?]|$)/.test(path)) return conversations(request, response, world, who.sub);
  switch (route) {
    case "GET /api/tags": {
      sendJson(response, 200, { models: world.models });
      return;
    }
    case "GET /api/ps": {
      sendJson(response, 200, { models: world.phase === "awake" ? world.models.slice(0, 1) : [] });
      return;
    }
    case "POST /translate/stream":
      return text(request, response, world);
    case "POST /translate_file":
      return file(request, response, world, `http://${request.headers.host ?? ""}`);
    case "POST /detect": {
      sendJson(response, 200, [guess((JSON.parse(await bodyOf(request)) as { q: string }).q)]);
      return;
    }
    case "GET /languages": {
      const codes = Object.keys(NAMES);
      sendJson(
        response,
        200,
        codes.map(code => ({ code, name: NAMES[code], targets: codes.filter(other => other !== code) })),
      );
      return;
    }
    case "GET /frontend/settings": {
      sendJson(response, 200, {
        charLimit: 5000,
        supportedFilesFormat: [".txt", ".md", ".srt", ".vtt", ".html", ".docx", ".po", ".json"],
      });
      return;
    }
    case "GET /fleet": {
      sendJson(response, 200, fleet(world, who.admin));
      return;
    }
    case "GET /fleet/usage": {
      sendJson(response, 200, usage(who.admin));
      return;
    }
  }
  const stored = world.files.get(path.replace("/download_file/", ""));
  if (stored !== undefined) {
    response.writeHead(200, { "content-type": "application/octet-stream" }).end(stored.text);
    return;
  }
  if (!who.admin) {
    sendJson(response, 403, { error: "this needs the right to operate the fleet" });
    return;
  }
  return operate(route, who.sub, request, response, world);
}

/** What operators send. */
interface Fields {
  readonly model?: string;
  readonly id?: string;
  readonly owner?: string;
  readonly roles?: string[];
  readonly expires_seconds?: number;
  readonly principal?: string;
  readonly reason?: string;
}

async function operate(
  route: string,
  by: string,
  request: IncomingMessage,
  response: ServerResponse,
  world: World,
): Promise<void> {
  const body = await bodyOf(request);
  const fields = (body === "" ? {} : JSON.parse(body)) as Fields;
  if (!route.startsWith("GET")) world.orders.push(`${route} ${body}`.trim());
  if (moderate(route, by, fields, response, world)) return;
  switch (route) {
    case "POST /fleet/wake":
      world.phase = "awake";
      {
        sendJson(response, 200, { state: "waking" });
        return;
      }
    case "POST /fleet/sleep":
      world.phase = "asleep";
      {
        sendJson(response, 200, { state: "falling_asleep" });
        return;
      }
    case "POST /fleet/hold": {
      sendJson(response, 200, { state: "awake" });
      return;
    }
    case "GET /fleet/costs": {
      sendJson(response, 200, world.costs);
      return;
    }
    case "GET /fleet/catalogue": {
      sendJson(response, 200, catalogue(world));
      return;
    }
    case "GET /fleet/history": {
      sendJson(response, 200, history());
      return;
    }
    case "POST /api/pull":
      return pull(response, world, fields.model ?? "");
    case "DELETE /api/delete":
      world.models.splice(
        world.models.findIndex(({ name }) => name === fields.model),
        1,
      );
      {
        sendJson(response, 200, {});
        return;
      }
    case "GET /fleet/keys": {
      sendJson(response, 200, { keys: world.keys });
      return;
    }
    case "POST /fleet/keys": {
      const now = Math.floor(Date.now() / 1000);
      const id = `new${world.keys.length}`;
      world.keys.push({
        id,
        owner: fields.owner ?? "",
        roles: fields.roles ?? [],
        created: now,
        expires: now + Number(fields.expires_seconds),
        disabled: false,
      });
      sendJson(response, 200, { id, key: "sk-standin-0123456789abcdef" });
      return;
    }
    case "DELETE /fleet/keys":
      for (const key of world.keys) if (key.id === fields.id) key.disabled = true;
      {
        sendJson(response, 200, {});
        return;
      }
    case "GET /fleet/denials": {
      sendJson(response, 200, { denials: world.denials });
      return;
    }
    case "POST /fleet/denials":
      world.denials.push({
        principal: fields.principal ?? "",
        reason: fields.reason ?? "",
        since: Math.floor(Date.now() / 1000),
      });
      {
        sendJson(response, 200, {});
        return;
      }
    case "DELETE /fleet/denials":
      world.denials.splice(
        world.denials.findIndex(({ principal }) => principal === fields.principal),
        1,
      );
      {
        sendJson(response, 200, {});
        return;
      }
    default: {
      sendJson(response, 404, { error: "there is no such route here" });
      return;
    }
  }
}

async function pull(response: ServerResponse, world: World, model: string): Promise<void> {
  response.writeHead(200, { "content-type": "application/x-ndjson" });
  for (let step = 1; step <= 5; step += 1) {
    response.write(`${JSON.stringify({ status: "pulling", completed: step * 100, total: 500 })}\n`);
    await pause(world.pace * 5);
  }
  world.models.push({ name: model, size: 500, modified_at: new Date().toISOString() });
  response.end(`${JSON.stringify({ status: "success" })}\n`);
}

function fleet(world: World, operator: boolean): Record<string, unknown> {
  const up = world.phase === "awake";
  const nodes = up
    ? [
        {
          name: "i-0a41c7",
          state: "ready",
          slots: 4,
          busy: Math.min(4, 2 + world.busy),
          queued: 0,
          models: ["gemma3n:e4b"],
        },
        { name: "i-0f93d2", state: "loading", slots: 4, busy: 0, queued: 0, models: [] },
      ]
    : [];
  return {
    fleet: "stand-in",
    state: world.phase,
    since: Math.floor(Date.now() / 1000) - 2700,
    reason: null,
    expected_wait_seconds: up ? 0 : world.phase === "asleep" ? 170 : 90,
    node_counts: { starting: 0, loading: up ? 1 : 0, ready: up ? 1 : 0, draining: 0 },
    nodes: nodes.map(({ name, ...rest }) => (operator ? { name, ...rest } : rest)),
    slots: up ? 8 : 0,
    busy: up ? 2 + world.busy : 0,
    queued: 0,
    oldest_wait_seconds: 0,
    models:
      operator && up
        ? [
            {
              name: "translategemma:4b",
              progress: {
                "i-0a41c7": { state: "present", completed: 400, total: 400 },
                "i-0f93d2": { state: "pulling", completed: 260, total: 400 },
              },
            },
          ]
        : [],
  };
}
