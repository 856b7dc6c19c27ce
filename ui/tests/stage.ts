/**
 * Where the tests play: the stand-in, or with `PAGE_DEMO=path/to/demo.json` a running demo. Every test also watches that
 * the page breaks no policy, asks no third party and logs no error.
 */
import { existsSync, readFileSync } from "node:fs";

import { type Page, test as base, expect, request } from "@playwright/test";

import { type Leave, type Place, crowd } from "./crowd";
import { type StandIn, pageAlone, policy, standIn } from "./stand-in/server";

export { expect };

interface Demo extends Place {
  readonly issuer: string;
  /** Null: the front does not serve the page. */
  readonly ui_url: string | null;
  readonly origin: string;
  readonly ui_user: string;
  readonly ui_password: string;
  readonly tokens: Place["tokens"] & { readonly admin: string };
  readonly sleeps: boolean;
}

export interface Stage {
  /** Address of the page. */
  readonly page: string;
  /** Every origin that the page may talk to. */
  readonly origins: readonly string[];
  readonly person: readonly [name: string, password: string];
  readonly admin: readonly [name: string, password: string];
  /** Somebody with five requests a minute. */
  readonly limited: readonly [name: string, password: string];
  /** Fills the fleet's queue until they are let go; null where nobody else comes. */
  readonly crowd: (() => Promise<Leave>) | null;
  /** The stand-in, where it is one. */
  readonly standIn: StandIn | null;
  /** Does the fleet go to sleep, and wake by a request? A single gateway does not. */
  readonly sleeps: boolean;
  /** Asks the API as an administrator. */
  readonly asAdmin: (path: string, method?: string) => Promise<Record<string, unknown>>;
}

const DEMO = process.env.PAGE_DEMO ?? "";

/** A demo whose front does not serve the page has it beside it, at the origin that the gateway lets call. */
async function stageOn(demo: Demo): Promise<Stage & { close: () => Promise<void> }> {
  const config = {
    api: demo.url,
    issuer: demo.issuer,
    client_id: "page",
    audience: "ollama",
    operator_groups: ["ollama-operators"],
    admin_groups: ["ollama-admins"],
  };
  const beside =
    demo.ui_url === null ? await pageAlone(demo.origin, config, policy([demo.url, demo.issuer])) : null;
  const address = demo.ui_url ?? `${demo.origin}/`;
  return {
    page: address,
    origins: [address, demo.url, demo.issuer].map(url => new URL(url).origin),
    person: [demo.ui_user, demo.ui_password],
    admin: ["admin", "admin"],
    limited: ["limited", "limited"],
    crowd: () => crowd(demo),
    standIn: null,
    sleeps: demo.sleeps,
    asAdmin: asking(demo.url, demo.tokens.admin),
    close: () => beside?.close() ?? Promise.resolve(),
  };
}

async function stageOnStandIn(): Promise<Stage> {
  const started = await standIn();
  return {
    page: `${started.url}/ui/`,
    origins: [started.url, started.issuer],
    person: ["demo", "demo"],
    admin: ["admin", "admin"],
    limited: ["limited", "limited"],
    crowd: null,
    standIn: started,
    sleeps: true,
    asAdmin: asking(started.url, started.adminToken),
  };
}

/** By a context of its own: the demo's certificate is signed by nobody else. */
function asking(url: string, token: string): Stage["asAdmin"] {
  return async (path, method = "GET") => {
    const context = await request.newContext({ ignoreHTTPSErrors: true });
    const answer = await context.fetch(url + path, { method, headers: { authorization: `Bearer ${token}` } });
    const body = (await answer.json()) as Record<string, unknown>;
    await context.dispose();
    return body;
  };
}

interface Watch {
  /** Errors in the console that a test means to cause. */
  readonly expected: RegExp[];
}

export const test = base.extend<{ watch: Watch }, { stage: Stage }>({
  stage: [
    async ({}, use) => {
      if (DEMO !== "" && existsSync(DEMO)) {
        const { close, ...demo } = await stageOn(JSON.parse(readFileSync(DEMO, "utf8")) as Demo);
        await use(demo);
        await close();
        return;
      }
      const stage = await stageOnStandIn();
      await use(stage);
      await stage.standIn?.close();
    },
    { scope: "worker" },
  ],
  watch: [
    async ({ page, stage }, use) => {
      // What a refused call leaves in the console is the browser's word, not the page's.
      const watch: Watch = { expected: [/Failed to load resource/] };
      const wrong: string[] = [];
      page.on("console", message => {
        const text = message.text();
        if (message.type() === "error" && !watch.expected.some(one => one.test(text))) wrong.push(text);
      });
      page.on("pageerror", error => wrong.push(String(error)));
      page.on("request", request => {
        const { protocol, origin } = new URL(request.url());
        if (protocol.startsWith("http") && !stage.origins.includes(origin))
          wrong.push(`third party: ${request.url()}`);
      });
      await page.addInitScript(() => {
        addEventListener("securitypolicyviolation", event => {
          // As an error, which the watch above hears.
          // eslint-disable-next-line no-console -- runs in the page, where the console is the way out
          console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`);
        });
      });
      await use(watch);
      expect(wrong).toEqual([]);
    },
    { auto: true },
  ],
});

/** Opens the page and signs in through the issuer's own form. */
export async function signIn(page: Page, stage: Stage, person = stage.person, room = ""): Promise<void> {
  await page.goto(stage.page + room);
  await page
    .getByRole("main")
    .getByRole("button", { name: /Sign in|サインイン/ })
    .click();
  await page.getByLabel("Name").fill(person[0]);
  await page.getByLabel("Password").fill(person[1]);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("navigation")).toBeVisible();
}

/** Puts the fleet to sleep. Running requests end properly first, and machines take their time to go. */
export async function fallAsleep(stage: Stage): Promise<void> {
  if (stage.standIn === null) await stage.asAdmin("/fleet/sleep", "POST");
  else stage.standIn.world.phase = "asleep";
  await expect.poll(async () => (await stage.asAdmin("/fleet")).state, { timeout: 90_000 }).toBe("asleep");
}

/** Wakes the fleet, and waits until it can work. */
export async function wakeUp(stage: Stage): Promise<void> {
  await stage.asAdmin("/fleet/wake", "POST");
  await expect.poll(async () => (await stage.asAdmin("/fleet")).state, { timeout: 60_000 }).toBe("awake");
}

export const source = (page: Page) => page.locator("#source");
export const result = (page: Page) => page.locator("#result");

/** Types a text, chooses the target, translates; does not wait. */
export async function translate(page: Page, text: string, target = "ja"): Promise<void> {
  await page.locator(".language select").nth(1).selectOption(target);
  await source(page).fill(text);
  await source(page).press("Control+Enter");
}

/** Refuses translations as the gateway does: what a page of another origin may read, it says. */
export async function refuse(page: Page, status: number, seconds: number): Promise<void> {
  const headers = {
    "retry-after": String(seconds),
    "x-request-id": "r-17",
    "access-control-expose-headers": "X-Request-Id, Retry-After",
  };
  await page.route("**/translate/stream", route =>
    route.fulfill({ status, headers, json: { error: "inner words" } }),
  );
}
