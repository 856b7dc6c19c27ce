/** The chat for every hand, eye and ear: keys, input methods, directions, phones, axe, Japanese. */
import { findings, look } from "./axe";
import {
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
import { expect, signIn, test } from "./stage";

test.beforeEach(({ stage }) => fresh(stage));

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
  await enter(page, stage);
  await field(page).focus();
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("Input.imeSetComposition", { text: "ぽんぷ", selectionStart: 3, selectionEnd: 3 });
  await expect(field(page)).toHaveValue("ぽんぷ");
  await field(page).press("Enter");
  // It was the input method's: nothing is sent, and what is typed is still there.
  await expect(field(page)).toHaveValue(/^ぽんぷ/);
  await expect(page).toHaveURL(/#\/chat$/);
  expect(stage.standIn?.world.talks.all).toEqual([]);
  await say(page, "ポンプ");
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
    await turnToNew(page);
    await say(page, "In Python, this is far too long.");
    await expect(status(page)).toHaveText("The answer is complete.");
    expect(await findings(page), "answered").toEqual([]);
    await field(page).press("ArrowUp");
    expect(await findings(page), "editing").toEqual([]);
    await page.keyboard.press("Escape");
    // The windows have the same colours as the rest; once is enough.
    for (const name of choice === "dark"
      ? []
      : ["Rename", "Instructions", "Delete", "Keyboard shortcuts", "What that means"]) {
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
