/** Pictures of the main states, for the documents: `npm run screenshots`. Against the stand-in, whose sentences are known. */
import { join } from "node:path";

import type { Page } from "@playwright/test";

import { answers, fresh, rows, say, status } from "./chat";
import { TANAKA, oversight, tanakasTalks } from "./stand-in/moderation";
import { MANUAL } from "./stand-in/phrases";
import { expect, refuse, result, signIn, test, translate } from "./stage";

const FOLDER = process.env.SCREENSHOTS ?? "";

test.skip(({ stage }) => FOLDER === "" || stage.standIn === null, "drawn on request only");

test.beforeEach(({ stage }) => {
  if (stage.standIn !== null) Object.assign(stage.standIn.world, { phase: "awake", pace: 3, wakeSeconds: 3 });
});

const shot = async (page: Page, name: string) => {
  await page.mouse.move(0, 0);
  await page.screenshot({ path: join(FOLDER, `${name}.png`) });
};

async function translated(page: Page): Promise<void> {
  await translate(page, MANUAL);
  await expect(page.getByRole("status").first()).toContainText(/Translated|翻訳しました/);
}

test("light, side by side, glossary, history", async ({ page, stage }) => {
  await signIn(page, stage);
  await shot(page, "empty");
  await translated(page);
  await result(page).locator(".part").nth(1).click();
  await shot(page, "light");
  await page.getByRole("button", { name: "Side by side" }).click();
  await shot(page, "side-by-side");
  await page.getByRole("button", { name: "History" }).click();
  await shot(page, "history");
});

test("dark", async ({ page, stage }) => {
  await page.addInitScript(() => localStorage.setItem("page.look", "dark"));
  await signIn(page, stage);
  await translated(page);
  await shot(page, "dark");
});

test("phone", async ({ page, stage }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  await signIn(page, stage);
  await translated(page);
  await shot(page, "phone");
});

test("Japanese", async ({ page, stage }) => {
  await page.addInitScript(() => localStorage.setItem("page.tongue", "ja"));
  await signIn(page, stage, stage.admin);
  await translated(page);
  await shot(page, "japanese");
});

test("sleeping", async ({ page, stage }) => {
  if (stage.standIn !== null) Object.assign(stage.standIn.world, { phase: "asleep", wakeSeconds: 172 });
  await signIn(page, stage);
  await translate(page, MANUAL);
  await expect(page.locator(".countdown")).toBeVisible();
  await shot(page, "sleeping");
});

test("operators", async ({ page, stage }) => {
  await page.setViewportSize({ width: 1280, height: 1180 });
  await signIn(page, stage, stage.admin, "#/fleet");
  await expect(page.getByRole("figure")).toHaveCount(6);
  await shot(page, "fleet");
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.goto(`${stage.page}#/people`);
  for (const [room, title] of [
    ["models", "Models"],
    ["keys", "Keys"],
    ["people", "Usage"],
  ] as const) {
    await page.getByRole("navigation").getByRole("link", { name: title }).click();
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    await page.waitForLoadState("networkidle");
    await shot(page, room);
  }
});

test("signed out, and refused", async ({ page, stage }) => {
  await page.goto(stage.page);
  await expect(page.getByRole("heading")).toBeVisible();
  await page.waitForLoadState("networkidle");
  await shot(page, "signed-out");
  await signIn(page, stage);
  await refuse(page, 429, 42);
  await translate(page, MANUAL);
  await expect(page.getByRole("alert")).toBeVisible();
  await shot(page, "refused");
});

/** In what the documents show of these rooms: light, dark, on a phone, in Japanese. */
const STATES = [
  ["", "light", "en", { width: 1280, height: 900 }],
  ["-dark", "dark", "en", { width: 1280, height: 900 }],
  ["-phone", "light", "en", { width: 390, height: 844 }],
  ["-japanese", "light", "ja", { width: 1280, height: 900 }],
] as const;

for (const [state, look, tongue, size] of STATES) {
  test(`administration, costs, catalogue${state}`, async ({ page, stage }) => {
    if (stage.standIn !== null) {
      stage.standIn.world.oversight = oversight();
      tanakasTalks(stage.standIn.world.talks);
    }
    await page.addInitScript(
      ([look, tongue]) => {
        localStorage.setItem("page.look", look);
        localStorage.setItem("page.tongue", tongue);
      },
      [look, tongue] as const,
    );
    await page.setViewportSize(size);
    await signIn(page, stage, stage.admin, "#/admin");
    const main = page.getByRole("main");
    if (state === "") await shot(page, "admin-notice");
    await main.locator(".before button").click();
    await main.getByRole("rowheader", { name: TANAKA }).waitFor();
    await shot(page, `admin${state}`);
    await main.getByRole("row", { name: TANAKA }).getByRole("button").click();
    await main.getByRole("button", { name: "Torque" }).click();
    await main.locator(".looked-at strong", { hasText: "24 Nm" }).waitFor();
    await shot(page, `admin-conversation${state}`);
    if (state === "") {
      await main.locator(".switch button").last().click();
      await main.locator(".intact").waitFor();
      await shot(page, "admin-log");
    }
    for (const [room, what] of [
      ["costs", ".chart rect"],
      ["models", ".offer"],
    ] as const) {
      await page.goto(`${stage.page}#/${room}`);
      await main.locator(what).first().waitFor();
      if (room === "models") await main.locator(".offers").evaluate(list => list.scrollIntoView());
      await shot(page, room === "models" ? `catalogue${state}` : `costs${state}`);
    }
  });
}

const CHATS = [
  ["chat", "light", "en", "How do I read a file line by line in Python?"],
  ["chat-dark", "dark", "en", "How do I read a file line by line in Python?"],
  ["chat-japanese", "light", "ja", "ポンプのカバーを開けてもよいですか。"],
] as const;

for (const [name, appearance, tongue, question] of CHATS) {
  test(name, async ({ page, stage }) => {
    await page.addInitScript(
      ([kept, spoken]) => {
        localStorage.setItem("page.look", kept);
        localStorage.setItem("page.tongue", spoken);
      },
      [appearance, tongue] as const,
    );
    fresh(stage);
    stage.standIn?.world.talks.preset("demo", 40, 4);
    await signIn(page, stage, stage.person, "#/chat");
    await page.locator("#say").fill(question);
    await page.locator("#say").press("Enter");
    await expect(status(page)).toHaveText(/The answer is complete\.|回答が終わりました。/);
    await shot(page, name);
  });
}

test("chat: new, waiting, and on a phone", async ({ page, stage }) => {
  fresh(stage);
  stage.standIn?.world.talks.preset("demo", 12, 4);
  await signIn(page, stage, stage.person, "#/chat");
  await expect(rows(page)).toHaveCount(12);
  await shot(page, "chat-new");
  if (stage.standIn !== null) Object.assign(stage.standIn.world, { phase: "asleep", wakeSeconds: 172 });
  await say(page, "Are you awake?");
  await expect(page.locator(".countdown")).toBeVisible();
  await shot(page, "chat-sleeping");
  if (stage.standIn !== null) stage.standIn.world.phase = "awake";
  await page.setViewportSize({ width: 390, height: 844 });
  await page.getByRole("button", { name: "Conversations" }).click();
  await expect(page.getByRole("dialog")).toBeVisible();
  await shot(page, "chat-phone-list");
  await rows(page).filter({ hasText: "Minutes" }).first().click();
  await expect(answers(page)).toHaveCount(2);
  await shot(page, "chat-phone");
});
