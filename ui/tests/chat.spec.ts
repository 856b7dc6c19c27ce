/** Talking to a model: from the first message to the archive and back, and all that can come between. */
import { readFile } from "node:fs/promises";

import type { Page } from "@playwright/test";

import { findings, look } from "./axe";
import { type Stage, expect, fallAsleep, signIn, test } from "./stage";

test.beforeEach(({ stage }) => {
  if (stage.standIn === null) return;
  Object.assign(stage.standIn.world, { phase: "awake", pace: 8, wakeSeconds: 3, limited: 0 });
  stage.standIn.world.talks.clear();
});

const field = (page: Page) => page.getByRole("textbox", { name: "Message" });
const model = (page: Page) => page.getByRole("combobox", { name: "Model" });
const rows = (page: Page) => page.locator(".talks a");
const said = (page: Page) => page.locator(".said");
const answers = (page: Page) => page.locator(".said:not(.mine)");
const status = (page: Page) => page.locator(".talk-status [role=status]");

/** On a fleet an answer takes seconds, and a model may have to be loaded first. */
const ANSWERED = { timeout: 60_000 };

async function say(page: Page, text: string): Promise<void> {
  await field(page).fill(text);
  await field(page).press("Enter");
}

/** Begins a conversation, with a text that no other test uses, and waits for the answer. */
async function begin(page: Page, stage: Stage, text: string): Promise<void> {
  await signIn(page, stage, stage.person, "#/chat");
  await expect(model(page)).not.toHaveValue("");
  await say(page, text);
  await expect(status(page)).toHaveText("The answer is complete.", ANSWERED);
}

async function remove(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await page.getByRole("button", { name: "Yes" }).click();
  await expect(page.getByRole("heading", { name: "What do you want to talk about?" })).toBeVisible();
}

/** Refuses what is said as the gateway does. */
async function refuse(page: Page, code: number, error: string, seconds?: number): Promise<void> {
  const headers: Record<string, string> = { "access-control-expose-headers": "X-Request-Id, Retry-After" };
  if (seconds !== undefined) headers["retry-after"] = String(seconds);
  await page.route("**/conversations/*/messages", route =>
    route.fulfill({ status: code, headers, json: { error } }),
  );
}

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

test("wakes a sleeping fleet, counts down and carries on", { tag: "@fleet" }, async ({ page, stage }) => {
  test.skip(!stage.sleeps, "a single gateway does not sleep");
  test.slow();
  await signIn(page, stage, stage.person, "#/chat");
  await expect(model(page)).not.toHaveValue("");
  await fallAsleep(stage);
  await say(page, "Wake up, please.");
  await expect(page.getByText(/The machines are (asleep|starting)/).last()).toBeVisible({ timeout: 30_000 });
  await expect(page.locator(".countdown")).toContainText("carries on by itself");
  await expect(status(page)).toHaveText("The answer is complete.", { timeout: 120_000 });
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

test("follows an answer that it can no longer hear", async ({ page, stage }) => {
  if (stage.standIn !== null) stage.standIn.world.pace = 20;
  await signIn(page, stage, stage.person, "#/chat");
  await expect(model(page)).not.toHaveValue("");
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
  await signIn(page, stage, stage.person, "#/chat");
  await expect(model(page)).not.toHaveValue("");
  await say(page, "Tell me at length.");
  await expect(page.locator(".pen")).toBeVisible();
  await field(page).fill("for the first");
  await page.getByRole("link", { name: "New conversation" }).click();
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
  await signIn(page, stage, stage.person, "#/chat");
  await expect(model(page)).not.toHaveValue("");
  await say(page, "Have a fault.");
  await expect(page.getByRole("alert")).toContainText("The language model had a fault.");
  await expect(answers(page)).toContainText("Broken off");
  await expect(status(page)).toHaveText("The answer broke off. What had come is kept.");
  const again = page.waitForRequest("**/conversations/*/messages");
  await page.getByRole("alert").getByRole("button", { name: "Try again" }).click();
  expect((await again).postDataJSON()).toEqual({ regenerate: true });
});

const REFUSALS: readonly [status: number, said: string, sentence: string][] = [
  [429, "too many requests", "You have reached your limit for the moment."],
  [403, "inner words", "Your account may not do this."],
  [413, "inner words", "larger than the service takes"],
  [409, "this conversation is being written to elsewhere; wait", "in another window or on another device"],
  [404, "there is no such conversation", "This conversation does not exist, or no longer."],
  [503, "inner words", "Too many people are asking right now."],
];

for (const [code, words, sentence] of REFUSALS) {
  test(`says in words what status ${code} means, and loses nothing of what was typed`, async ({
    page,
    stage,
  }) => {
    await begin(page, stage, "Hello.");
    await refuse(page, code, words, 1);
    await say(page, "Typed with care.");
    await expect(page.getByRole("alert")).toContainText(sentence);
    await expect(field(page)).toHaveValue("Typed with care.");
    await expect(said(page)).toHaveCount(2);
    if (code !== 429 && code !== 503) return;
    await page.unroute("**/conversations/*/messages");
    await page.getByRole("alert").getByRole("button", { name: "Try again" }).click();
    await expect(answers(page).last()).toContainText("You said: Typed with care.");
    await expect(field(page)).toHaveValue("");
  });
}

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

test("works by keyboard alone", async ({ page, stage }) => {
  stage.standIn?.world.talks.preset("demo", 3, 4);
  await signIn(page, stage, stage.person, "#/chat");
  await expect(field(page)).toBeFocused();
  await field(page).fill("One line");
  await field(page).press("Shift+Enter");
  await field(page).pressSequentially("another");
  await expect(field(page)).toHaveValue("One line\nanother");
  await field(page).press("Enter");
  await expect(status(page)).toHaveText("The answer is complete.");
  // In an empty field the arrow goes to what one said last.
  await field(page).press("ArrowUp");
  await expect(page.getByRole("textbox", { name: "Edit and send again" })).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("textbox", { name: "Edit and send again" })).toHaveCount(0);
  await page.keyboard.press("Alt+Shift+K");
  await expect(page.getByRole("searchbox")).toBeFocused();
  await page.keyboard.press("Tab");
  await expect(rows(page).first()).toBeFocused();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  await expect(rows(page).nth(2)).toBeFocused();
  await page.keyboard.press("End");
  await expect(rows(page).last()).toBeFocused();
  await page.keyboard.press("Home");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: "Minutes of the meeting 1" })).toBeVisible();
  await page.keyboard.press("Alt+Shift+C");
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toContain("Answer **2**");
  await page.keyboard.press("Alt+Shift+N");
  await expect(page.getByRole("heading", { name: "What do you want to talk about?" })).toBeVisible();
  await page.getByRole("main").focus();
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog")).toContainText("Copy the last answer");
});

test("does not send what an input method is still composing", async ({ page, stage }) => {
  await signIn(page, stage, stage.person, "#/chat");
  await expect(model(page)).not.toHaveValue("");
  await field(page).focus();
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("Input.imeSetComposition", { text: "ぽんぷ", selectionStart: 3, selectionEnd: 3 });
  await expect(field(page)).toHaveValue("ぽんぷ");
  await field(page).press("Enter");
  await expect(page).toHaveURL(/#\/chat$/);
  await cdp.send("Input.insertText", { text: "ポンプ" });
  await expect(field(page)).toHaveValue("ポンプ");
  await field(page).press("Enter");
  await expect(answers(page)).toContainText("ポンプを停止し");
});

test("lets each text run in its own direction", async ({ page, stage }) => {
  await begin(page, stage, "هل تتحدث عربي؟");
  const paragraph = answers(page).locator(".written-text p");
  await expect(paragraph).toHaveAttribute("dir", "auto");
  expect(await paragraph.evaluate(element => getComputedStyle(element).direction)).toBe("rtl");
});

test("fits a phone, with the list as a drawer", { tag: "@fleet" }, async ({ page, stage }) => {
  test.slow();
  await page.setViewportSize({ width: 360, height: 740 });
  const fits = () => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);
  await begin(page, stage, `On a phone ${Date.now()}, in Python`);
  expect(await fits()).toBe(true);
  await expect(field(page)).toBeInViewport();
  expect(await findings(page), "conversation").toEqual([]);
  await page.getByRole("button", { name: "Conversations" }).click();
  await expect(page.getByRole("dialog")).toBeVisible();
  expect(await fits()).toBe(true);
  expect(await findings(page), "drawer").toEqual([]);
  await rows(page).first().click();
  await expect(page.getByRole("dialog")).toHaveCount(0);
  await remove(page);
  expect(await fits()).toBe(true);
});

for (const choice of ["light", "dark"] as const) {
  test(`has no finding of axe, ${choice}`, async ({ page, stage }) => {
    test.slow();
    stage.standIn?.world.talks.preset("demo", 60, 60);
    await signIn(page, stage, stage.person, "#/chat");
    await look(page, choice);
    await expect(rows(page).first()).toBeVisible();
    expect(await findings(page), "new").toEqual([]);
    await rows(page).first().click();
    await expect(said(page).first()).toBeAttached();
    expect(await findings(page), "long").toEqual([]);
    await page.getByRole("link", { name: "New conversation" }).click();
    await say(page, "In Python, this is far too long.");
    await expect(status(page)).toHaveText("The answer is complete.");
    expect(await findings(page), "answered").toEqual([]);
    await field(page).press("ArrowUp");
    expect(await findings(page), "editing").toEqual([]);
    await page.keyboard.press("Escape");
    for (const name of ["Rename", "Instructions", "Delete", "Keyboard shortcuts", "What that means"]) {
      await page.getByRole("button", { name, exact: true }).click();
      await expect(page.getByRole("dialog")).toBeVisible();
      expect(await findings(page), name).toEqual([]);
      await page.keyboard.press("Escape");
    }
    await refuse(page, 429, "too many", 60);
    await say(page, "Once more.");
    await expect(page.getByRole("alert")).toBeVisible();
    expect(await findings(page), "refused").toEqual([]);
    await page.getByRole("button", { name: "Close the conversation" }).click();
    await expect(page.getByText("This conversation is closed, and in the archive.")).toBeVisible();
    expect(await findings(page), "closed").toEqual([]);
  });
}

test("speaks Japanese", async ({ page, stage }) => {
  await page.addInitScript(() => localStorage.setItem("page.tongue", "ja"));
  await signIn(page, stage, stage.person, "#/chat");
  await page.getByRole("textbox", { name: "メッセージ" }).fill("ポンプについて教えてください。");
  await page.keyboard.press("Enter");
  await expect(status(page)).toHaveText("回答が終わりました。");
  await expect(page.getByText("管理者が会話を確認することがあります。")).toBeVisible();
  expect(await findings(page)).toEqual([]);
});
