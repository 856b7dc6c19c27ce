/** For every eye and ear: no finding of axe in any state, phone width, right to left, Japanese, without a spinner. */
import { findings, look } from "./axe";
import { MANUAL } from "./stand-in/phrases";
import { expect, refuse, result, signIn, source, test, translate } from "./stage";

test.beforeEach(({ stage }) => {
  if (stage.standIn !== null) Object.assign(stage.standIn.world, { phase: "awake", pace: 3, limited: 0 });
});

for (const choice of ["light", "dark"] as const) {
  test(`has no finding of axe, ${choice}`, { tag: "@fleet" }, async ({ page, stage }) => {
    test.slow();
    await page.goto(stage.page);
    await expect(page.getByRole("heading")).toBeVisible();
    await look(page, choice);
    expect(await findings(page), "signed out").toEqual([]);
    await signIn(page, stage, stage.admin);
    await look(page, choice);
    expect(await findings(page), "empty").toEqual([]);
    await translate(page, MANUAL);
    await expect(page.getByRole("status").first()).toContainText("Translated");
    expect(await findings(page), "translated").toEqual([]);
    await page.getByRole("button", { name: "Side by side" }).click();
    expect(await findings(page), "side by side").toEqual([]);
    await page.getByRole("button", { name: "Text", exact: true }).click();
    for (const name of [/^Glossary/, "History", "Keyboard shortcuts"]) {
      await page.getByRole("button", { name }).click();
      if (name instanceof RegExp) await page.getByRole("button", { name: "Add a term" }).click();
      expect(await findings(page), String(name)).toEqual([]);
      await page.keyboard.press("Escape");
    }
    await refuse(page, 429, 30);
    await translate(page, "Refused.");
    await expect(page.getByRole("alert")).toBeVisible();
    expect(await findings(page), "refused").toEqual([]);
    for (const room of ["Chat", "Fleet", "Models", "Keys", "Usage", "Costs"]) {
      await page.getByRole("navigation").getByRole("link", { name: room }).click();
      // That of this room: the one before may still be there.
      await expect(
        page.getByRole("heading", { level: 1, name: room === "Keys" ? "API keys" : room }),
      ).toBeVisible();
      await page.waitForLoadState("networkidle");
      expect(await findings(page), room).toEqual([]);
    }
  });
}

test("fits a phone in every room", { tag: "@fleet" }, async ({ page, stage }) => {
  await page.setViewportSize({ width: 360, height: 740 });
  await signIn(page, stage, stage.admin);
  await translate(page, MANUAL);
  await expect(page.getByRole("status").first()).toContainText("Translated");
  const fits = () => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);
  expect(await fits()).toBe(true);
  expect(await findings(page)).toEqual([]);
  await page.getByRole("button", { name: "Side by side" }).click();
  expect(await fits()).toBe(true);
  for (const room of ["Chat", "Fleet", "Models", "Keys", "Usage", "Costs"]) {
    await page.getByRole("navigation").getByRole("link", { name: room }).click();
    await page.waitForLoadState("networkidle");
    expect(await fits(), room).toBe(true);
  }
});

test("speaks Japanese", async ({ page, stage }) => {
  await page.addInitScript(() => localStorage.setItem("page.tongue", "ja"));
  await signIn(page, stage);
  await expect(page.locator("html")).toHaveAttribute("lang", "ja");
  await expect(page.getByRole("button", { name: /^翻訳 / })).toBeVisible();
  await page.locator(".language select").nth(1).selectOption({ label: "ドイツ語" });
  await translate(page, "One. Two.", "de");
  await expect(page.getByRole("status").first()).toContainText("翻訳しました。");
  expect(await findings(page)).toEqual([]);
});

test("takes the browser's language, and keeps another choice", async ({ browser, stage }) => {
  const context = await browser.newContext({ locale: "ja-JP", ignoreHTTPSErrors: true });
  const page = await context.newPage();
  await page.goto(stage.page);
  await expect(page.getByRole("heading")).toHaveText("サインインして翻訳を始めます");
  await page.locator(".menu summary").click();
  await page.getByLabel("表示言語").selectOption("en");
  await expect(page.getByRole("heading")).toHaveText("Sign in to translate");
  await page.reload();
  await expect(page.getByRole("heading")).toHaveText("Sign in to translate");
  await context.close();
});

test("writes right to left where the language does", { tag: "@fleet" }, async ({ page, stage }) => {
  await signIn(page, stage);
  await translate(page, "Residual pressure can throw parts out of the housing.", "ar");
  await expect(page.getByRole("status").first()).toContainText("Translated");
  await expect(result(page)).toHaveAttribute("dir", "rtl");
  await expect(result(page)).toHaveAttribute("lang", "ar");
  await page.locator(".language select").first().selectOption("he");
  await expect(source(page)).toHaveAttribute("dir", "rtl");
});

test("paints its shape before any script, and without one", async ({ browser, stage }) => {
  const context = await browser.newContext({ javaScriptEnabled: false, ignoreHTTPSErrors: true });
  const page = await context.newPage();
  await page.goto(stage.page);
  await expect(page.locator(".first-pane").first()).toBeVisible();
  await expect(page.locator("noscript")).toBeAttached();
  await context.close();
});

test("works under a path as at a root", async ({ page, stage }) => {
  test.skip(stage.standIn === null, "a front serves the page under /ui/ only");
  await signIn(page, { ...stage, page: new URL("/", stage.page).href });
  await translate(page, "At the root.", "de");
  await expect(page.getByRole("status").first()).toContainText("Translated");
});

test("carries a policy of its own, and nobody may frame it", { tag: "@fleet" }, async ({ page, stage }) => {
  const served = await page.goto(stage.page);
  // That only a header can say.
  expect(served?.headers()["content-security-policy"]).toContain("frame-ancestors 'none'");
  const policy = await page.locator("meta[http-equiv=Content-Security-Policy]").getAttribute("content");
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("script-src 'self';");
  expect(policy).not.toContain("unsafe");
});
