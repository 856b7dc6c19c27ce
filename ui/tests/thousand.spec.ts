/** A thousand conversations, one of a thousand messages: all can be reached, and nothing jumps or grows slow. */
import type { Page } from "@playwright/test";

import { expect, signIn, test } from "./stage";

test.skip(({ stage }) => stage.standIn === null, "only the stand-in has so many");

test.beforeEach(({ stage }) => {
  if (stage.standIn === null) return;
  Object.assign(stage.standIn.world, { phase: "awake", pace: 5 });
  stage.standIn.world.talks.clear();
  stage.standIn.world.talks.preset("demo", 1000, 1000);
});

const rows = (page: Page) => page.locator(".talks a");
const said = (page: Page) => page.locator(".said");

/** Milliseconds that anything may take here: what a person bears, and five times what it takes on a slow machine. */
const BEARABLE = 5000;

async function timed(what: string, deed: () => Promise<unknown>): Promise<void> {
  const started = Date.now();
  await deed();
  const took = Date.now() - started;
  test.info().annotations.push({ type: what, description: `${took} ms` });
  expect(took, what).toBeLessThan(BEARABLE);
}

test("goes through a thousand conversations, by scrolling and by keyboard", async ({ page, stage }) => {
  test.slow();
  await signIn(page, stage, stage.person, "#/chat");
  await expect(rows(page)).toHaveCount(50);
  await rows(page).first().focus();
  for (let shown = 50; shown < 1000; shown += 50) {
    // The last row in sight brings the next ones.
    await page.keyboard.press("End");
    await expect.poll(() => rows(page).count()).toBeGreaterThan(shown);
  }
  await expect(rows(page)).toHaveCount(1000);
  await page.keyboard.press("End");
  await expect(rows(page).last()).toBeFocused();
  await expect(rows(page).last()).toContainText("1000");
  expect(new Set(await rows(page).evaluateAll(all => all.map(row => row.getAttribute("href")))).size).toBe(
    1000,
  );
  await timed("open the last of a thousand", async () => {
    await page.keyboard.press("Enter");
    await expect(said(page)).toHaveCount(2);
  });
  await timed("type beside a thousand", () =>
    page.getByRole("textbox", { name: "Message" }).pressSequentially("Twenty characters ok"),
  );
});

test("finds one of a thousand by its title", async ({ page, stage }) => {
  await signIn(page, stage, stage.person, "#/chat");
  await expect(rows(page)).toHaveCount(50);
  await timed("search", async () => {
    await page.getByRole("searchbox").fill("sql for the report 77");
    await expect(rows(page)).toHaveCount(3);
  });
  await expect(rows(page).first()).toContainText("SQL for the report 770");
  await page.getByRole("searchbox").fill("nothing has this");
  await expect(page.getByText("No title contains this.")).toBeVisible();
  await page.getByRole("searchbox").fill("");
  await expect(rows(page)).toHaveCount(50);
});

/** The number of the topmost message in sight, and where it stands. */
const topmost = (page: Page) =>
  page.locator(".transcript").evaluate(scroller => {
    const edge = scroller.getBoundingClientRect().top;
    const first = [...scroller.querySelectorAll(".said")].find(
      element => element.getBoundingClientRect().bottom > edge + 1,
    );
    return { text: first?.textContent ?? "", top: Math.round(first?.getBoundingClientRect().top ?? 0) };
  });

test("reads a thousand messages upwards, and what one reads stays in its place", async ({ page, stage }) => {
  test.slow();
  await signIn(page, stage, stage.person, "#/chat");
  await timed("open a thousand messages", async () => {
    await rows(page).first().click();
    await expect(said(page).last()).toContainText("Answer 500");
  });
  await expect(said(page).last()).toBeInViewport();
  const scroller = page.locator(".transcript");
  for (;;) {
    const before = await said(page).count();
    if (before >= 1000) break;
    // To a place above which more will come, without being at its very top: then it must not move.
    await scroller.evaluate(element => element.scrollTo(0, 120));
    const seen = await topmost(page);
    await expect.poll(() => said(page).count()).toBeGreaterThan(before);
    const after = await topmost(page);
    expect(after.text).toBe(seen.text);
    expect(Math.abs(after.top - seen.top)).toBeLessThanOrEqual(3);
  }
  await expect(said(page)).toHaveCount(1000);
  await expect(said(page).first()).toContainText("Question 1, please.");
  await scroller.evaluate(element => element.scrollTo(0, 0));
  await expect(said(page).first()).toBeInViewport();
  await page.getByRole("button", { name: "To the newest message" }).click();
  await expect(said(page).last()).toBeInViewport();
  await timed("an answer below a thousand messages", async () => {
    await page.getByRole("textbox", { name: "Message" }).fill("And now?");
    await page.keyboard.press("Enter");
    await expect(said(page).last()).toContainText("You said: And now?");
  });
  await expect(said(page).last()).toBeInViewport();
});
