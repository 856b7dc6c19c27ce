/** What comes between: another window, a sleeping fleet, a broken connection, a refusal. Nothing said is lost over it. */
import {
  ANSWERED,
  answers,
  begin,
  enter,
  field,
  fresh,
  refuse,
  remove,
  rows,
  said,
  say,
  status,
  turnToNew,
} from "./chat";
import { expect, fallAsleep, signIn, test } from "./stage";

test.beforeEach(({ stage }) => fresh(stage));

test("tells a second window that the first is at it", { tag: "@fleet" }, async ({ page, stage, context }) => {
  test.slow();
  await begin(page, stage, "Two windows.");
  const second = await context.newPage();
  await signIn(second, stage, stage.person, new URL(page.url()).hash);
  await expect(answers(second)).toHaveCount(1);
  // The second must be quicker than the answer; where it was not, once more.
  await expect(async () => {
    await expect(second.getByRole("button", { name: "Send", exact: true })).toBeVisible();
    await field(second).fill("Me too.");
    await say(page, "Tell me at length about valves.");
    await expect(page.locator(".pen")).toBeVisible();
    await field(second).press("Enter");
    await expect(second.getByRole("alert")).toContainText("being written to in another window", {
      timeout: 5000,
    });
  }).toPass({ timeout: 120_000 });
  await expect(field(second)).toHaveValue("Me too.");
  // The second window shows the first one's answer, once it is there, and each message once.
  await expect(page.locator(".pen")).toHaveCount(0, ANSWERED);
  await expect(second.getByRole("button", { name: "Send", exact: true })).toBeVisible({ timeout: 30_000 });
  const texts = await said(page).locator(".said-text, .written-text").allInnerTexts();
  await expect(said(second).locator(".said-text, .written-text")).toHaveText(texts);
  await second.close();
  await remove(page);
});

test("wakes a sleeping fleet, counts down and carries on", { tag: "@fleet" }, async ({ page, stage }) => {
  test.skip(!stage.sleeps, "a single gateway does not sleep");
  test.slow();
  await enter(page, stage);
  await fallAsleep(stage);
  await say(page, "Wake up, please.");
  await expect(page.getByText(/The machines are (asleep|starting)/).last()).toBeVisible({ timeout: 30_000 });
  await expect(page.locator(".countdown")).toContainText("carries on by itself");
  await expect(status(page)).toHaveText("The answer is complete.", { timeout: 120_000 });
  await remove(page);
});

test("follows an answer that it can no longer hear", async ({ page, stage }) => {
  if (stage.standIn !== null) stage.standIn.world.pace = 20;
  await enter(page, stage);
  await say(page, "You lose me at length.");
  await expect(page.getByText("that this window does not hear").last()).toBeVisible();
  await expect(status(page)).toHaveText("The answer is complete.", { timeout: 30_000 });
  await expect(answers(page)).toContainText("word 150");
  await expect(said(page)).toHaveCount(2);
});

test("goes on hearing an answer while one looks elsewhere, and keeps drafts apart", async ({
  page,
  stage,
}) => {
  if (stage.standIn !== null) stage.standIn.world.pace = 15;
  await enter(page, stage);
  await say(page, "Tell me at length.");
  await expect(page.locator(".pen")).toBeVisible();
  await field(page).fill("for the first");
  await turnToNew(page);
  await expect(field(page)).toHaveValue("");
  await field(page).fill("for a new one");
  await page.getByRole("navigation").getByRole("link", { name: "Translate" }).click();
  await page.goBack();
  await expect(field(page)).toHaveValue("for a new one");
  await rows(page).first().click();
  await expect(field(page)).toHaveValue("for the first");
  await expect(answers(page)).toContainText("word 150", { timeout: 30_000 });
  expect(stage.standIn?.world.talks.asked).toHaveLength(1);
});

test("says when an answer broke off, keeps it, and tries again", async ({ page, stage }) => {
  await enter(page, stage);
  await say(page, "Have a fault.");
  await expect(page.getByRole("alert")).toContainText("The language model had a fault.");
  await expect(answers(page)).toContainText("Broken off");
  await expect(status(page)).toHaveText("The answer broke off. What had come is kept.");
  const again = page.waitForRequest("**/conversations/*/messages");
  await page.getByRole("alert").getByRole("button", { name: "Try again" }).click();
  expect((await again).postDataJSON()).toEqual({ regenerate: true });
});

test("gives back what never arrived", async ({ page, stage }) => {
  await begin(page, stage, "Hello.");
  // A proxy that takes it, and dies over it.
  await page.route("**/conversations/*/messages", route =>
    route.fulfill({ contentType: "text/event-stream", body: ": keep-alive\n\n" }),
  );
  await say(page, "Lost on the way.");
  await expect(page.getByRole("alert")).toContainText("The connection broke");
  await expect(field(page)).toHaveValue("Lost on the way.");
  await expect(said(page)).toHaveCount(2);
});

test("says when there is no such conversation, and when there are none at all", async ({ page, stage }) => {
  await signIn(page, stage, stage.person, "#/chat/00000000-0000-4000-8000-000000000000");
  await expect(page.getByRole("alert")).toContainText("This conversation does not exist, or no longer.");
  await page.route("**/conversations?**", route =>
    route.fulfill({ status: 404, json: { error: "there is no such route here" } }),
  );
  await page.reload();
  await signIn(page, stage, stage.person, "#/chat");
  await expect(page.getByRole("alert")).toContainText("This installation does not offer this.");
});

const REFUSALS: readonly [status: number, said: string, sentence: string][] = [
  [403, "inner words", "Your account may not do this."],
  [413, "inner words", "larger than the service takes"],
  [409, "this conversation is being written to elsewhere; wait", "in another window or on another device"],
  [404, "there is no such conversation", "This conversation does not exist, or no longer."],
  [503, "inner words", "Too many people are asking right now."],
  [429, "too many requests", "You have reached your limit for the moment."],
];

test("says in words what was refused, and loses nothing of what was typed", async ({ page, stage }) => {
  test.slow();
  await begin(page, stage, "Hello.");
  for (const [code, words, sentence] of REFUSALS) {
    await refuse(page, code, words, 1);
    await say(page, `Typed with care for ${code}.`);
    await expect(page.getByRole("alert")).toContainText(sentence);
    await expect(field(page)).toHaveValue(`Typed with care for ${code}.`);
    await expect(said(page)).toHaveCount(2);
    await page.unroute("**/conversations/*/messages");
  }
  await page.getByRole("alert").getByRole("button", { name: "Try again" }).click();
  await expect(answers(page).last()).toContainText("You said: Typed with care for 429.");
  await expect(field(page)).toHaveValue("");
  await expect(said(page)).toHaveCount(4);
});
