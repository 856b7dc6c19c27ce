/** Administrators look after people and what they talk about, and every look of theirs is written down. */
import type { Page } from "@playwright/test";

import { findings } from "./axe";
import { fits } from "./width";
import { TANAKA, oversight, tanakasTalks } from "./stand-in/moderation";
import { type Stage, expect, signIn, test, wakeUp } from "./stage";

test.beforeEach(({ stage }) => {
  if (stage.standIn === null) return;
  Object.assign(stage.standIn.world, { phase: "awake", pace: 3, oversight: oversight() });
  tanakasTalks(stage.standIn.world.talks);
  stage.standIn.world.denials.splice(1);
});

const main = (page: Page) => page.getByRole("main");
const part = (page: Page, name: string) =>
  main(page).getByRole("group", { name: "Parts" }).getByRole("button", { name });

/** Goes in, past the notice. */
async function enter(page: Page, stage: Stage): Promise<void> {
  await signIn(page, stage, stage.admin, "#/admin");
  await main(page).getByRole("button", { name: "I understand, show me" }).click();
  await expect(main(page).getByRole("heading", { name: "People, last 31 days" })).toBeVisible();
}

async function toTanaka(page: Page, stage: Stage): Promise<void> {
  await enter(page, stage);
  await main(page)
    .getByRole("button", { name: `Conversations of ${TANAKA}` })
    .click();
  await expect(main(page).getByRole("button", { name: "Torque of the relief valve" })).toBeVisible();
}

/** What the log has gained, as `action whom`, the oldest first. */
const gained = (stage: Stage) =>
  (stage.standIn?.world.oversight.log.slice(2) ?? []).map(({ action, principal, conversation }) =>
    [action, principal, conversation].filter(Boolean).join(" "),
  );

test.describe("on the stand-in", () => {
  test.skip(({ stage }) => stage.standIn === null, "these people are the stand-in's");

  test("says that looks are recorded before the first one", async ({ page, stage }) => {
    await signIn(page, stage, stage.admin, "#/admin");
    await expect(main(page).getByRole("heading", { name: "Before you look" })).toBeVisible();
    await expect(main(page).getByText("Every look, search, deletion")).toBeVisible();
    await page.waitForLoadState("networkidle");
    expect(gained(stage)).toEqual([]);
    await main(page).getByRole("button", { name: "I understand, show me" }).click();
    await expect(main(page).getByRole("rowheader", { name: TANAKA })).toBeVisible();
    expect(gained(stage)).toEqual(["people"]);
    // It is said once for as long as the page stays.
    await page.getByRole("navigation").getByRole("link", { name: "Usage" }).click();
    await page.getByRole("navigation").getByRole("link", { name: "Admin" }).click();
    await expect(main(page).getByRole("rowheader", { name: TANAKA })).toBeVisible();
  });

  test("lists people by their last activity, with use and exclusion", async ({ page, stage }) => {
    await enter(page, stage);
    const rows = main(page).getByRole("row");
    await expect(rows.nth(1)).toContainText(TANAKA);
    await expect(rows.nth(1)).toContainText("412");
    await expect(rows.nth(2)).toContainText("#mori");
    await expect(main(page).getByRole("row", { name: /9f2c41/ })).toContainText("shut out");
    await main(page).getByLabel("Filter by name").fill("MORI");
    await expect(rows).toHaveCount(2);
    await main(page).getByLabel("Filter by name").fill("nobody like that");
    await expect(main(page).getByText("Nobody has such a name.")).toBeVisible();
    expect(gained(stage), "filtering is no look").toEqual(["people"]);
  });

  test("reads a conversation, and finds its own look in the log", async ({ page, stage }) => {
    await toTanaka(page, stage);
    await main(page).getByRole("button", { name: "Torque of the relief valve" }).click();
    await expect(page.getByRole("heading", { name: "Torque of the relief valve" })).toBeFocused();
    const said = main(page).getByRole("list").last().getByRole("listitem");
    await expect(main(page).getByText("And with grease?")).toBeVisible();
    // Markdown is drawn; markup of a model is text.
    await expect(main(page).locator("strong", { hasText: "24 Nm" })).toBeVisible();
    await expect(main(page).getByText("<b>Check</b> the data sheet")).toBeVisible();
    await expect(main(page).getByText("stopped by the person")).toBeVisible();
    await expect(main(page).getByText("2 earlier turns did not fit")).toBeVisible();
    await main(page).getByText("System prompt").click();
    await expect(main(page).getByText("Answer as a maintenance engineer.")).toBeVisible();
    expect(await said.count()).toBeGreaterThan(0);
    const id = stage.standIn?.world.talks.all[0]?.id ?? "";
    expect(gained(stage)).toEqual(["people", `list ${TANAKA}`, `view ${TANAKA} ${id}`]);
    await part(page, "Log").click();
    const row = main(page).getByRole("row").nth(1);
    await expect(row).toContainText("read a conversation");
    await expect(row).toContainText("admin");
    await expect(row).toContainText(TANAKA);
    await expect(row).toContainText(id.slice(0, 8));
    await expect(main(page).getByText("Intact:")).toBeVisible();
    expect(gained(stage), "reading the log is not recorded").toHaveLength(3);
  });

  test("comes back to what was looked at without another look", async ({ page, stage }) => {
    await toTanaka(page, stage);
    await main(page).getByRole("button", { name: "Torque of the relief valve" }).click();
    await expect(main(page).getByText("And with grease?")).toBeVisible();
    await main(page).getByRole("button", { name: "Back" }).click();
    await expect(main(page).getByRole("button", { name: "Torque of the relief valve" })).toBeFocused();
    await main(page).getByRole("button", { name: "Back" }).click();
    await expect(main(page).getByRole("button", { name: `Conversations of ${TANAKA}` })).toBeFocused();
    expect(gained(stage)).toHaveLength(3);
  });

  test("pages through conversations and messages, and searches in titles", async ({ page, stage }) => {
    await toTanaka(page, stage);
    const titles = main(page).getByRole("row").getByRole("button");
    await expect(titles).toHaveCount(50);
    await main(page).getByRole("button", { name: "Older conversations" }).click();
    await expect(titles).toHaveCount(60);
    await expect(main(page).getByRole("button", { name: "Older conversations" })).toHaveCount(0);
    await main(page).getByLabel("Search in titles").fill("CATALOGUE");
    await main(page).getByLabel("Search in titles").press("Enter");
    await expect(titles).toHaveCount(1);
    await expect(main(page).getByRole("row", { name: /Terms/ })).toContainText("closed, archived");
    await titles.click();
    await expect(main(page).getByText("Part 65 is a gasket.")).toBeVisible();
    await expect(main(page).getByText("Which term for part 1?")).toHaveCount(0);
    await main(page).getByRole("button", { name: "Earlier messages" }).click();
    await main(page).getByRole("button", { name: "Earlier messages" }).click();
    await expect(main(page).getByText("Which term for part 1?")).toBeVisible();
    await expect(main(page).getByRole("button", { name: "Earlier messages" })).toHaveCount(0);
    const texts = await main(page)
      .locator(".looked-at .as-written, .looked-at .written-text")
      .allTextContents();
    expect(texts).toHaveLength(130);
    expect(texts.slice(0, 2)).toEqual(["Which term for part 1?", "Part 1 is a gasket."]);
  });

  test("deletes a conversation when that is confirmed, and says so", async ({ page, stage }) => {
    await toTanaka(page, stage);
    await main(page).getByRole("button", { name: "Torque of the relief valve" }).click();
    await main(page).getByRole("button", { name: "Delete" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
    expect(gained(stage).filter(line => line.startsWith("delete"))).toEqual([]);
    await main(page).getByRole("button", { name: "Delete" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Yes" }).click();
    await expect(
      main(page).getByText("The conversation has been deleted, and that is in the log."),
    ).toBeVisible();
    await expect(main(page).getByRole("button", { name: "Torque of the relief valve" })).toHaveCount(0);
    expect(gained(stage).filter(line => line.startsWith("delete"))).toHaveLength(1);
    expect(stage.standIn?.world.talks.all[0]?.title).toBe("Terms of the new catalogue");
  });

  test("shuts a person out for a reason, and lets them in again", async ({ page, stage }) => {
    await toTanaka(page, stage);
    await main(page).getByRole("button", { name: "Shut out…" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("button", { name: "Shut out" }).click();
    await expect(dialog, "a reason is needed").toBeVisible();
    await dialog.getByLabel("Reason").fill("  leaked a text ");
    await dialog.getByRole("button", { name: "Shut out" }).click();
    await expect(main(page).getByText(`${TANAKA} is shut out.`)).toBeVisible();
    expect(stage.standIn?.world.denials.at(-1)).toMatchObject({ principal: TANAKA, reason: "leaked a text" });
    await main(page).getByRole("button", { name: "Back" }).click();
    await expect(main(page).getByRole("row", { name: /#tanaka/ })).toContainText("shut out");
    await main(page)
      .getByRole("button", { name: `Conversations of ${TANAKA}` })
      .click();
    await main(page).getByRole("button", { name: "Let in again" }).click();
    await expect(main(page).getByText(`${TANAKA} may use the service again.`)).toBeVisible();
    expect(gained(stage).filter(line => /^(deny|allow)/.test(line))).toEqual([
      `deny ${TANAKA}`,
      `allow ${TANAKA}`,
    ]);
  });

  test("searches in texts, and opens where it was found", async ({ page, stage }) => {
    await enter(page, stage);
    await part(page, "Search").click();
    await main(page).getByLabel(/^Text/).fill("no");
    await main(page).getByRole("button", { name: "Search", exact: true }).click();
    expect(gained(stage), "two characters are too few").toEqual(["people"]);
    await main(page).getByLabel(/^Text/).fill("part 9 is");
    await main(page)
      .getByLabel(/^Person or key/)
      .fill(TANAKA);
    await main(page)
      .getByLabel(/^Person or key/)
      .press("Enter");
    await expect(
      main(page).getByText("1 place All of it was looked through: 60 conversations."),
    ).toBeVisible();
    await expect(main(page).locator(".found mark")).toHaveText("Part 9 is");
    await main(page).locator(".found").getByRole("button").click();
    const found = main(page).locator(".looked-at > li[aria-current]");
    await expect(found).toContainText("Part 9 is a gasket.");
    await expect(main(page).locator(".looked-at > li").last(), "nothing after it is shown").toContainText(
      "Part 9 is",
    );
    await main(page).getByRole("button", { name: "The latest messages" }).click();
    await expect(main(page).getByText("Part 65 is a gasket.")).toBeVisible();
    await main(page).getByRole("button", { name: "Back" }).click();
    await expect(main(page).locator(".found")).toHaveCount(1);
    expect(JSON.stringify(stage.standIn?.world.oversight.log)).not.toContain("part 9");
  });

  test("says what a search did not get through, and where it is off", async ({ page, stage }) => {
    if (stage.standIn !== null) stage.standIn.world.oversight.search = { on: true, most: 2 };
    await enter(page, stage);
    await part(page, "Search").click();
    await main(page).getByLabel(/^Text/).fill("gasket");
    await main(page).getByRole("button", { name: "Search", exact: true }).click();
    await expect(main(page).getByText("the search ended after 2 conversations")).toBeVisible();
    if (stage.standIn !== null) stage.standIn.world.oversight.search.on = false;
    await main(page).getByRole("button", { name: "Search", exact: true }).click();
    await expect(page.getByRole("alert")).toContainText("Searching in texts is not possible here.");
    await expect(page.getByRole("alert")).toContainText("[conversations] search");
  });

  test("shows nothing where the look cannot be recorded", async ({ page, stage }) => {
    if (stage.standIn !== null) stage.standIn.world.oversight.writable = false;
    await signIn(page, stage, stage.admin, "#/admin");
    await main(page).getByRole("button", { name: "I understand, show me" }).click();
    await expect(page.getByRole("alert")).toContainText(
      "could not be written to the log, so nothing was shown",
    );
    await expect(main(page).getByRole("table")).toHaveCount(0);
    if (stage.standIn !== null) stage.standIn.world.oversight.writable = true;
    await page.getByRole("alert").getByRole("button", { name: "Try again" }).click();
    await expect(main(page).getByRole("rowheader", { name: TANAKA })).toBeVisible();
  });

  test("pages through the log, and says when somebody changed it", async ({ page, stage }) => {
    const log = stage.standIn?.world.oversight.log ?? [];
    const first = log[0];
    if (first !== undefined)
      for (let number = 3; number <= 120; number += 1) log.push({ ...first, number, action: "view" });
    await enter(page, stage);
    await part(page, "Log").click();
    const rows = main(page).locator("tbody tr:visible");
    await expect(rows).toHaveCount(50);
    await main(page).getByRole("button", { name: "Older entries" }).click();
    await expect(rows).toHaveCount(100);
    await expect(main(page).getByText("Intact:")).toBeVisible();
    if (stage.standIn !== null) stage.standIn.world.oversight.intact = false;
    await main(page).getByRole("button", { name: "Older entries" }).click();
    await expect(page.getByRole("alert")).toContainText("The log has been changed from outside");
    await expect(rows).toHaveCount(121);
  });

  for (const choice of ["light", "dark"] as const) {
    test(`has no finding of axe in any part, ${choice}, and fits a phone`, async ({ page, stage }) => {
      test.slow();
      await page.setViewportSize({ width: 360, height: 740 });
      await page.addInitScript(look => localStorage.setItem("page.look", look), choice);
      await signIn(page, stage, stage.admin, "#/admin");
      const check = async (what: string) => {
        expect(await findings(page), what).toEqual([]);
        expect(await fits(page), what).toBe(true);
      };
      await expect(main(page).getByRole("heading", { name: "Before you look" })).toBeVisible();
      await check("notice");
      await main(page).getByRole("button", { name: "I understand, show me" }).click();
      await expect(main(page).getByRole("rowheader", { name: TANAKA })).toBeVisible();
      await check("people");
      await main(page)
        .getByRole("button", { name: `Conversations of ${TANAKA}` })
        .click();
      await expect(main(page).getByRole("button", { name: "Torque of the relief valve" })).toBeVisible();
      await check("person");
      await main(page).getByRole("button", { name: "Shut out…" }).click();
      await check("shut out");
      await page.keyboard.press("Escape");
      await main(page).getByRole("button", { name: "Torque of the relief valve" }).click();
      await expect(main(page).getByText("And with grease?")).toBeVisible();
      await check("conversation");
      await part(page, "Search").click();
      await main(page).getByLabel(/^Text/).fill("relief valve");
      await main(page).getByLabel(/^Text/).press("Enter");
      await expect(main(page).locator(".found mark").first()).toBeVisible();
      await check("search");
      await part(page, "Log").click();
      await expect(main(page).getByText("searched in texts")).toBeVisible();
      await check("log");
    });
  }

  test("speaks Japanese", async ({ page, stage }) => {
    await page.addInitScript(() => localStorage.setItem("page.tongue", "ja"));
    await signIn(page, stage, stage.admin, "#/admin");
    await expect(main(page).getByText("監査ログに記録されます")).toBeVisible();
    await main(page).getByRole("button", { name: "理解しました。表示する" }).click();
    await main(page)
      .getByRole("button", { name: `${TANAKA} の会話` })
      .click();
    await main(page).getByRole("button", { name: "Torque of the relief valve" }).click();
    await expect(main(page).getByText("利用者が中止")).toBeVisible();
    await main(page).getByRole("button", { name: "監査ログ" }).click();
    await expect(main(page).getByText("会話の閲覧")).toBeVisible();
    expect(await findings(page)).toEqual([]);
  });
});

test(
  "finds what somebody said, and its own look at it in the log",
  { tag: "@fleet" },
  async ({ page, stage }) => {
    test.slow();
    if (stage.standIn === null) await wakeUp(stage);
    await signIn(page, stage, stage.person, "#/chat");
    const marker = `Valve ${Date.now()}`;
    await page.getByRole("textbox", { name: "Message" }).fill(`${marker}: which torque?`);
    await page.getByRole("textbox", { name: "Message" }).press("Enter");
    await expect(page.getByText("The answer is complete.")).toBeAttached({ timeout: 60_000 });
    const theirs = await page.context().browser()?.newContext({ ignoreHTTPSErrors: true, locale: "en-GB" });
    if (theirs === undefined) throw new Error("no browser");
    const admins = await theirs.newPage();
    await enter(admins, stage);
    const who = new RegExp(`(^|#| )${stage.person[0]}$`);
    await main(admins)
      .getByRole("row")
      .filter({ has: admins.getByRole("rowheader", { name: who }) })
      .getByRole("button")
      .click();
    await main(admins).locator("button.link:visible").first().click();
    const asked = main(admins).locator(".looked-at > .of-person");
    await expect(asked.last()).toContainText(`${marker}: which torque?`);
    await expect(main(admins).locator(".looked-at > .of-model").last()).toContainText(/\w/);
    await part(admins, "Log").click();
    const row = main(admins).locator("tbody tr:visible").first();
    await expect(row).toContainText("read a conversation");
    await expect(row.getByRole("cell").nth(4)).toHaveText(who);
    await expect(row, "none of the words").not.toContainText("Valve");
    await expect(main(admins).getByText("Intact:")).toBeVisible();
    await theirs.close();
  },
);

test("has no door for those who are no administrators", { tag: "@fleet" }, async ({ page, stage }) => {
  await signIn(page, stage, stage.person, "#/admin");
  await expect(page.getByRole("heading", { name: "Before you look" })).toHaveCount(0);
  await expect(page.getByRole("navigation").getByRole("link", { name: "Admin" })).toHaveCount(0);
});

test("makes a code for Telegram, shown once", { tag: "@fleet" }, async ({ page, stage }) => {
  await signIn(page, stage, stage.admin, "#/people");
  await main(page).getByLabel("Person", { exact: true }).fill("key#somebody");
  await main(page).getByRole("button", { name: "Link Telegram", exact: true }).click();
  const dialog = page.getByRole("dialog", { name: "Link Telegram to key#somebody" });
  const made = page.waitForRequest("**/fleet/links");
  await dialog.getByRole("button", { name: "Make a code" }).click();
  expect((await made).postDataJSON()).toEqual({ principal: "key#somebody" });
  await expect(dialog.getByText("This code is shown only once")).toBeVisible();
  const code = await dialog.locator("code.secret").innerText();
  expect(code.length).toBeGreaterThan(16);
  await expect(dialog.getByText(`/start ${code}`)).toBeVisible();
  await dialog.getByRole("button", { name: "Copy what to tell" }).click();
  await expect(dialog.getByText("Copied")).toBeVisible();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toContain(`/start ${code}`);
  expect(await findings(page)).toEqual([]);
  await page.keyboard.press("Escape");
  await expect(dialog).toHaveCount(0);
  await expect(page.getByText(code)).toHaveCount(0);
});
