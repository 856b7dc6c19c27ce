/** The stand-in's issuer: authorization code with PKCE for whoever knows the password. It signs nothing. */
import { createHash, randomUUID } from "node:crypto";
import { type IncomingMessage, type ServerResponse, createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { type Listening, bodyOf, listening, sendJson } from "./web";

/** Name and password of each person, and their groups. */
const PEOPLE: Readonly<Record<string, readonly string[]>> = {
  demo: [],
  admin: ["ollama-admins"],
  limited: ["limited"],
};

interface Grant {
  readonly name: string;
  readonly audience: string | null;
  readonly challenge: string;
  readonly nonce: string | null;
}

const coded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** Looks like a signed token, so that the page sees three parts. The stand-in's API reads the name out of it. */
export function token(claims: Record<string, unknown>): string {
  return `${coded({ alg: "none", standIn: true })}.${coded(claims)}.unsigned`;
}

export async function issuer(): Promise<Listening> {
  const grants = new Map<string, Grant>();
  const server = createServer(
    (request, response) => void answer(request, response).catch(() => response.destroy()),
  );

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const self = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const url = new URL(request.url ?? "/", self);
    response.setHeader("access-control-allow-origin", request.headers.origin ?? "*");
    response.setHeader("access-control-allow-headers", "authorization, content-type");
    switch (`${request.method ?? ""} ${url.pathname}`) {
      case "GET /.well-known/openid-configuration": {
        sendJson(response, 200, {
          issuer: self,
          authorization_endpoint: `${self}/authorize`,
          token_endpoint: `${self}/token`,
          end_session_endpoint: `${self}/logout`,
          jwks_uri: `${self}/jwks`,
        });
        return;
      }
      case "GET /authorize": {
        form(response, url.searchParams);
        return;
      }
      case "POST /authorize": {
        submit(response, new URLSearchParams(await bodyOf(request)), grants);
        return;
      }
      case "POST /token": {
        exchange(response, new URLSearchParams(await bodyOf(request)), grants, self);
        return;
      }
      case "GET /logout":
        response.writeHead(303, { location: url.searchParams.get("post_logout_redirect_uri") ?? "/" }).end();
        return;
      default:
        response.writeHead(request.method === "OPTIONS" ? 204 : 404).end();
    }
  }
  return listening(server);
}

function form(response: ServerResponse, query: URLSearchParams): void {
  const hidden = [...query].map(
    ([name, value]) => `<input type="hidden" name="${name}" value="${value.replaceAll('"', "&quot;")}">`,
  );
  response.writeHead(200, { "content-type": "text/html" }).end(
    `<!doctype html><html lang="en"><title>Stand-in issuer</title><h1>Stand-in issuer</h1><form method="post" action="/authorize">${hidden.join("")}
     <label>Name <input name="username"></label><label>Password <input name="password" type="password"></label><button>Sign in</button></form>`,
  );
}

function submit(response: ServerResponse, fields: URLSearchParams, grants: Map<string, Grant>): void {
  const name = fields.get("username") ?? "";
  if (!(name in PEOPLE) || fields.get("password") !== name) {
    response.writeHead(401).end("wrong");
    return;
  }
  const code = randomUUID();
  const challenge = fields.get("code_challenge") ?? "";
  grants.set(code, { name, audience: fields.get("audience"), challenge, nonce: fields.get("nonce") });
  const back = new URL(fields.get("redirect_uri") ?? "");
  back.searchParams.set("code", code);
  back.searchParams.set("state", fields.get("state") ?? "");
  response.writeHead(303, { location: back.href }).end();
}

function exchange(
  response: ServerResponse,
  fields: URLSearchParams,
  grants: Map<string, Grant>,
  self: string,
): void {
  const grant = grants.get(fields.get("code") ?? "");
  grants.delete(fields.get("code") ?? "");
  const verifier = createHash("sha256")
    .update(fields.get("code_verifier") ?? "")
    .digest("base64url");
  if (grant?.challenge !== verifier) return sendJson(response, 400, { error: "invalid_grant" });
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: self,
    sub: grant.name,
    name: grant.name,
    iat: now,
    exp: now + 3600,
    groups: PEOPLE[grant.name],
  };
  const nonce = grant.nonce === null ? {} : { nonce: grant.nonce };
  return sendJson(response, 200, {
    // As Auth0 does: without an audience the token says nothing to anybody but the issuer.
    access_token: grant.audience === null ? randomUUID() : token({ ...claims, aud: grant.audience }),
    id_token: token({ ...claims, ...nonce, aud: fields.get("client_id") }),
    token_type: "Bearer",
    expires_in: 3600,
    scope: "openid profile email",
  });
}
