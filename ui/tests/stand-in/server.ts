/** The stand-in's front: the built page under `/ui/` and at the root, and the API, on one origin. */
import { readFile } from "node:fs/promises";
import { type IncomingMessage, type ServerResponse, createServer } from "node:http";
import { extname, join, normalize } from "node:path";

import { issuer, token } from "./issuer";
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

export async function standIn(): Promise<StandIn> {
  const world = newWorld();
  const signsIn = await issuer();
  const server = createServer((request, response) => {
    const done =
      request.url?.startsWith("/ui/") === true ||
      request.url === "/" ||
      TYPES[extname(request.url ?? "")] !== undefined ||
      request.url?.endsWith("config.json") === true
        ? page(request, response, signsIn.url)
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

/** As a front would send it: only itself and the issuer. */
const policy = (signsIn: string) =>
  `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self' ${signsIn}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'`;

async function page(request: IncomingMessage, response: ServerResponse, signsIn: string): Promise<void> {
  const path = new URL(request.url ?? "/", "http://any").pathname.replace(/^\/ui\//, "/");
  if (path.endsWith("/config.json")) return sendJson(response, 200, config(signsIn));
  const name = normalize(path.endsWith("/") ? "/index.html" : path);
  const content = await readFile(join(DIST, name)).catch(() => null);
  if (content === null) return sendJson(response, 404, { error: "there is no such file" });
  response.writeHead(200, {
    "content-type": TYPES[extname(name)] ?? "application/octet-stream",
    "content-security-policy": policy(signsIn),
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
  if (who === null) return sendJson(response, 401, { error: "a valid token or API key is needed" });
  const path = request.url ?? "/";
  const route = `${request.method ?? ""} ${path}`;
  if (route.startsWith("POST /translate") && who.sub === "limited" && ++world.limited > 5) {
    return sendJson(
      response,
      429,
      { error: "too many requests; try again in 12 s" },
      { "retry-after": "12" },
    );
  }
  switch (route) {
    case "POST /translate/stream":
      return text(request, response, world);
    case "POST /translate_file":
      return file(request, response, world, `http://${request.headers.host ?? ""}`);
    case "POST /detect":
      return sendJson(response, 200, [guess((JSON.parse(await bodyOf(request)) as { q: string }).q)]);
    case "GET /languages": {
      const codes = Object.keys(NAMES);
      return sendJson(
        response,
        200,
        codes.map(code => ({ code, name: NAMES[code], targets: codes.filter(other => other !== code) })),
      );
    }
    case "GET /frontend/settings":
      return sendJson(response, 200, {
        charLimit: 5000,
        supportedFilesFormat: [".txt", ".md", ".srt", ".vtt", ".html", ".docx", ".po", ".json"],
      });
    case "GET /fleet":
      return sendJson(response, 200, fleet(world, who.admin));
    case "GET /fleet/usage":
      return sendJson(response, 200, usage(who.admin));
  }
  const stored = world.files.get(path.replace("/download_file/", ""));
  if (stored !== undefined) {
    response.writeHead(200, { "content-type": "application/octet-stream" }).end(stored.text);
    return;
  }
  if (!who.admin) return sendJson(response, 403, { error: "this needs the right to operate the fleet" });
  return operate(route, request, response, world);
}

async function operate(
  route: string,
  request: IncomingMessage,
  response: ServerResponse,
  world: World,
): Promise<void> {
  const body = await bodyOf(request);
  const fields = (body === "" ? {} : JSON.parse(body)) as Record<string, never>;
  if (!route.startsWith("GET")) world.orders.push(`${route} ${body}`.trim());
  switch (route) {
    case "POST /fleet/wake":
      world.phase = "awake";
      return sendJson(response, 200, { state: "waking" });
    case "POST /fleet/sleep":
      world.phase = "asleep";
      return sendJson(response, 200, { state: "falling_asleep" });
    case "POST /fleet/hold":
      return sendJson(response, 200, { state: "awake" });
    case "GET /fleet/history":
      return sendJson(response, 200, history());
    case "GET /api/tags":
      return sendJson(response, 200, { models: world.models });
    case "POST /api/pull":
      return pull(response, world, fields["model"] ?? "");
    case "DELETE /api/delete":
      world.models.splice(
        world.models.findIndex(({ name }) => name === fields["model"]),
        1,
      );
      return sendJson(response, 200, {});
    case "GET /fleet/keys":
      return sendJson(response, 200, { keys: world.keys });
    case "POST /fleet/keys": {
      const now = Math.floor(Date.now() / 1000);
      const id = `new${world.keys.length}`;
      world.keys.push({
        id,
        owner: fields["owner"] ?? "",
        roles: fields["roles"] ?? [],
        created: now,
        expires: now + Number(fields["expires_seconds"]),
        disabled: false,
      });
      return sendJson(response, 200, { id, key: "sk-standin-0123456789abcdef" });
    }
    case "DELETE /fleet/keys":
      for (const key of world.keys) if (key.id === fields["id"]) key.disabled = true;
      return sendJson(response, 200, {});
    case "GET /fleet/denials":
      return sendJson(response, 200, { denials: world.denials });
    case "POST /fleet/denials":
      world.denials.push({
        principal: fields["principal"] ?? "",
        reason: fields["reason"] ?? "",
        since: Math.floor(Date.now() / 1000),
      });
      return sendJson(response, 200, {});
    case "DELETE /fleet/denials":
      world.denials.splice(
        world.denials.findIndex(({ principal }) => principal === fields["principal"]),
        1,
      );
      return sendJson(response, 200, {});
    default:
      return sendJson(response, 404, { error: "there is no such route here" });
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
