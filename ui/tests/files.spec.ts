/** Files go through: chosen or dropped, with progress, and come back to be saved. */
import { readFile } from "node:fs/promises";

import { expect, signIn, test } from "./stage";

const TEXT = { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("One line.\nAnother line.\n") };

test.beforeEach(({ stage }) => {
  if (stage.standIn !== null) Object.assign(stage.standIn.world, { phase: "awake", pace: 12 });
});

test("translates a file and gives it back", { tag: "@fleet" }, async ({ page, stage }) => {
  await signIn(page, stage);
  await page.locator(".language select").nth(1).selectOption("de");
  await page.locator(".pane input[type=file]").setInputFiles(TEXT);
  const file = page.locator(".file");
  await expect(file).toContainText("Done");
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    file.getByRole("button", { name: "Download" }).click(),
  ]);
  expect(download.suggestedFilename()).toBe("notes.de.txt");
  const content = await readFile(await download.path(), "utf8");
  expect(content.split("\n")).toHaveLength(3);
  expect(content).not.toBe("");
});

test("takes a file that is dropped on it", { tag: "@fleet" }, async ({ page, stage }) => {
  await signIn(page, stage);
  const data = await page.evaluateHandle(() => {
    const transfer = new DataTransfer();
    transfer.items.add(new File(["A line.\n"], "dropped.md", { type: "text/markdown" }));
    return transfer;
  });
  await page.dispatchEvent("#source", "dragover", { dataTransfer: data });
  await expect(page.getByText("Drop the file to translate it")).toBeVisible();
  await page.dispatchEvent("#source", "drop", { dataTransfer: data });
  await expect(page.locator(".file")).toContainText("dropped.md");
  await expect(page.locator(".file")).toContainText("Done");
});

test("says which files it does not take", async ({ page, stage }) => {
  await signIn(page, stage);
  const input = page.locator(".pane input[type=file]");
  await input.setInputFiles({ ...TEXT, name: "photo.heic" });
  await expect(page.getByRole("alert")).toContainText("photo.heic is of a kind that cannot be translated");
  await input.setInputFiles({ ...TEXT, name: "big.txt", buffer: Buffer.alloc(11 * 1024 * 1024) });
  await expect(page.getByRole("alert")).toContainText("big.txt is larger than 10 MiB");
  await expect(page.locator(".file")).toHaveCount(0);
});

test("says what was wrong with a file, and stops one", async ({ page, stage }) => {
  await signIn(page, stage);
  const input = page.locator(".pane input[type=file]");
  await page.route("**/translate_file", route =>
    route.fulfill({ status: 415, json: { error: "this file is not what its name says" } }),
  );
  await input.setInputFiles(TEXT);
  await expect(page.getByRole("alert")).toContainText("This kind of file cannot be translated.");
  await expect(page.getByRole("alert")).toContainText("not what its name says");
  await page.getByRole("button", { name: "Remove notes.txt" }).click();
  await page.unroute("**/translate_file");
  await page.route("**/translate_file", () => undefined);
  await input.setInputFiles(TEXT);
  await page.getByRole("button", { name: "Stop notes.txt" }).click();
  await expect(page.locator(".file")).toContainText("Stopped");
});
