/** Talking to a model: from the first message to the archive and back, and what one can do with what was said. */
import { readFile } from "node:fs/promises";

import { ANSWERED, answers, begin, field, fresh, model, remove, rows, said, say, status } from "./chat";
import { expect, signIn, test } from "./stage";

test.beforeEach(({ stage }) => fresh(stage));

test("goes from the first message to the archive and back", { tag: "@fleet" }, async ({ page, stage }) => {
  test.slow();
  const question = `How do pumps work? ${Date.now()}`;
  await begin(page, stage, question);
  await expect(answers(page).locator(".written-text")).toHaveText(/\S{3}/);
  await expect(answers(page)).toContainText(/[\d,]+ tokens read, [\d,]+ written/);
  await expect(field(page)).toHaveValue("");
  await expect(page).toHaveURL(/#\/chat\/[0-9a-f-]{36}$/);
  const answer = await answers(page).locator(".written-text").innerText();
  await expect(rows(page).first()).toHaveAttribute("aria-current", "page");

  await page.getByRole("button", { name: "Rename" }).click();
  await page.getByRole("textbox", { name: "Title" }).fill("Pumps, for good");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("heading", { name: "Pumps, for good" })).toBeVisible();
  await expect(rows(page).first()).toContainText("Pumps, for good");

  await page.getByRole("button", { name: "Close the conversation" }).click();
  await expect(page.getByText("This conversation is closed, and in the archive.")).toBeVisible();
  await expect(rows(page).first()).toContainText("closed");
  await expect(field(page)).toHaveCount(0);

  // Nothing of it is in this page any more: what comes, comes from the gateway.
  await signIn(page, { ...stage, page: `${stage.page}?again` }, stage.person, "#/chat");
  await rows(page).filter({ hasText: "Pumps, for good" }).first().click();
  await expect(said(page).first()).toContainText(question);
  await expect(answers(page).locator(".written-text")).toHaveText(answer);
  await page.getByRole("button", { name: "Open again" }).click();
  await say(page, "And valves?");
  await expect(answers(page)).toHaveCount(2);
  await expect(status(page)).toHaveText("The answer is complete.", ANSWERED);
  await remove(page);
  await expect(rows(page).filter({ hasText: "Pumps, for good" })).toHaveCount(0);
});

test("stops an answer, and keeps what had come", { tag: "@fleet" }, async ({ page, stage }) => {
  test.slow();
  await begin(page, stage, "Hello first.");
  // The answer may be faster than the hand; then once more.
  await expect(async () => {
    await say(page, "Tell me at length about pumps.");
    await expect(page.locator(".pen")).toBeVisible();
    await expect(answers(page).last().locator(".written-text")).toHaveText(/\S/, ANSWERED);
    await field(page).press("Escape");
    await expect(page.locator(".pen")).toHaveCount(0, { timeout: 30_000 });
    await expect(answers(page).last()).toContainText("Stopped", { timeout: 1000 });
  }).toPass({ timeout: 120_000 });
  await expect(status(page)).toHaveText("Stopped. What had come is kept.");
  const kept = await answers(page).last().locator(".written-text").innerText();
  expect(kept).toMatch(/\S/);
  // It is so at the gateway too.
  await page.getByRole("link", { name: "New conversation" }).click();
  await page.reload();
  await signIn(page, stage, stage.person, "#/chat");
  await rows(page).first().click();
  await expect(answers(page).last()).toContainText("Stopped");
  await expect(answers(page).last().locator(".written-text")).toHaveText(kept);
  await remove(page);
});

test("answers anew, and takes back what one said", { tag: "@fleet" }, async ({ page, stage }) => {
  test.slow();
  await begin(page, stage, "First question.");
  await say(page, "Second question.");
  await expect(answers(page)).toHaveCount(2);
  await expect(status(page)).toHaveText("The answer is complete.", ANSWERED);
  const anew = page.waitForRequest("**/conversations/*/messages");
  await page.getByRole("button", { name: "Answer anew" }).click();
  expect((await anew).postDataJSON()).toEqual({ regenerate: true });
  await expect(status(page)).toHaveText("The answer is complete.", ANSWERED);
  await expect(said(page)).toHaveCount(4);
  if (stage.standIn !== null) await expect(answers(page).last()).toContainText("Another answer to");
  await said(page).first().getByRole("button", { name: "Edit and send again" }).click();
  const editor = page.getByRole("textbox", { name: "Edit and send again" });
  await expect(editor).toBeFocused();
  await expect(editor).toHaveValue("First question.");
  await editor.fill("First question, better.");
  const edited = page.waitForRequest("**/conversations/*/messages");
  await editor.press("Enter");
  expect((await edited).postDataJSON()).toEqual({
    content: "First question, better.",
    replaces: expect.stringMatching(/^\d{16}$/) as unknown,
  });
  await expect(said(page)).toHaveCount(2);
  await expect(status(page)).toHaveText("The answer is complete.", ANSWERED);
  await expect(said(page).first()).toContainText("First question, better.");
  await remove(page);
});

test("shows Markdown, and copies code and messages", async ({ page, stage }) => {
  await begin(page, stage, "How do I read a file in Python?");
  const answer = answers(page).first();
  await expect(answer.getByRole("table")).toBeVisible();
  await expect(answer.locator("ol > li")).toHaveCount(2);
  await expect(answer.locator("strong").first()).toHaveText("large files");
  const code = answer.locator("figure.code");
  await expect(code.locator("figcaption")).toContainText("python");
  await code.getByRole("button", { name: "Copy the code" }).click();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toContain("    for line in notes:\n");
  await answer.getByRole("button", { name: "Copy the message" }).click();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toContain("```python\n");
  await expect(answer.getByText("Copied").last()).toBeAttached();
});

test("shows what looks like markup as it is written", async ({ page, stage }) => {
  await begin(page, stage, "Something evil <b>here</b>.");
  await expect(said(page).first().locator(".said-text")).toHaveText("Something evil <b>here</b>.");
  const written = answers(page).locator(".written-text");
  await expect(written).toContainText('<img src=x onerror="alert(1)"> and <script>alert(2)</script>');
  await expect(written).toContainText('<div onclick="alert(4)">block</div>');
  await expect(written.locator("img, script, div div, iframe")).toHaveCount(0);
  const links = await written.locator("a").evaluateAll(all => all.map(link => link.getAttribute("href")));
  expect(links).toEqual(["https://example.com/?a=1&b=2", "https://tracker.example/p.png"]);
  await expect(written.locator("a").first()).toHaveAttribute("rel", "noopener noreferrer nofollow");
});

test("says that turns were left out, and what the conversation took", async ({ page, stage }) => {
  await begin(page, stage, "This is far too long.");
  await expect(answers(page)).toContainText("its 3 oldest turns were left out");
  await expect(page.locator(".talk-head")).toContainText(/tokens read, [\d,]+ written in all/);
});

test("marks the models in memory, offers none that only embed, and keeps the choice", async ({
  page,
  stage,
}) => {
  await signIn(page, stage, stage.person, "#/chat");
  const picker = model(page);
  await expect(picker.getByRole("option")).toHaveText(["gemma3n:e4b (in memory)", "qwen3:8b"]);
  await picker.selectOption("qwen3:8b");
  await page.getByText("Instructions").click();
  await page.getByRole("textbox", { name: /What the model is told/ }).fill("Answer in verse.");
  const made = page.waitForRequest(request => request.url().endsWith("/conversations"));
  await say(page, "Hello.");
  expect((await made).postDataJSON()).toEqual({ model: "qwen3:8b", system: "Answer in verse." });
  await expect(page.locator(".talk-head")).toContainText("qwen3:8b");
  await page.getByRole("button", { name: "Instructions" }).click();
  await expect(page.getByRole("dialog").getByRole("textbox")).toHaveValue("Answer in verse.");
  await page.getByRole("dialog").getByRole("textbox").fill("In prose.");
  await page.getByRole("button", { name: "Save" }).click();
  await expect.poll(() => stage.standIn?.world.talks.all[0]?.system).toBe("In prose.");
  await page.getByRole("link", { name: "New conversation" }).click();
  await expect(picker).toHaveValue("qwen3:8b");
});

test("takes a name where no model is known yet", async ({ page, stage }) => {
  await page.route("**/api/tags", route => route.fulfill({ json: { models: [] } }));
  await signIn(page, stage, stage.person, "#/chat");
  await expect(page.getByText("is not known while the machines are asleep")).toBeVisible();
  await say(page, "Anybody there?");
  await expect(page).toHaveURL(/#\/chat$/);
  await page.getByRole("textbox", { name: "Model" }).fill("none:such");
  await field(page).press("Enter");
  await expect(page.getByRole("alert")).toContainText("model 'none:such' not found");
  await page.getByRole("textbox", { name: "Model" }).fill("qwen3:8b");
  await field(page).press("Enter");
  await expect(answers(page)).toContainText("You said: Anybody there?");
});

test("shows the title that the model thinks of", async ({ page, stage }) => {
  await begin(page, stage, "Of pumps.");
  await expect(page.getByRole("heading", { name: "About: Of pumps." })).toBeVisible();
  await expect(rows(page).first()).toContainText("About: Of pumps.");
});

test("exports all as one file", async ({ page, stage }) => {
  await begin(page, stage, "For the file.");
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Export all" }).click(),
  ]);
  expect(download.suggestedFilename()).toMatch(/^conversations-\d{4}-\d\d-\d\d\.json$/);
  const file = JSON.parse(await readFile(await download.path(), "utf8")) as {
    conversations: { transcript: { content: string }[] }[];
  };
  expect(file.conversations[0]?.transcript.map(({ content }) => content)).toEqual([
    "For the file.",
    "You said: For the file.",
  ]);
});

test(
  "tells everybody that moderators exist, and what that means",
  { tag: "@fleet" },
  async ({ page, stage }) => {
    await signIn(page, stage, stage.person, "#/chat");
    await expect(page.getByText("Moderators may read conversations.")).toBeVisible();
    await page.getByRole("button", { name: "What that means" }).click();
    await expect(page.getByRole("dialog")).toContainText("Every look and every deletion is written to a log");
  },
);
