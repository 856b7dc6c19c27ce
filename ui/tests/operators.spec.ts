/** Operators see the fleet and steer it; everybody else sees their own usage only. */
import { expect, signIn, test, wakeUp } from "./stage";

test.beforeEach(({ stage }) => {
  if (stage.standIn !== null) Object.assign(stage.standIn.world, { phase: "awake", pace: 5 });
});

test("shows ordinary people no operators' doors", { tag: "@fleet" }, async ({ page, stage }) => {
  await signIn(page, stage);
  await expect(page.getByRole("navigation").getByRole("link")).toHaveText(["Translate", "Chat", "Usage"]);
  await page.goto(`${stage.page}#/keys`);
  await expect(page.getByRole("heading", { name: "API keys" })).toHaveCount(0);
});

test("shows the fleet and its nodes, and passes orders on", { tag: "@fleet" }, async ({ page, stage }) => {
  test.slow();
  await wakeUp(stage);
  await signIn(page, stage, stage.admin, "#/fleet");
  const main = page.getByRole("main");
  await expect(main.getByRole("table").first()).toContainText("ready");
  await main.getByRole("spinbutton", { name: "Nodes" }).fill("2");
  await main.getByLabel("Hours", { exact: true }).fill("1.5");
  const held = page.waitForRequest("**/fleet/hold");
  await main.getByRole("button", { name: "Hold" }).click();
  expect((await held).postDataJSON()).toEqual({ nodes: 2, seconds: 5400 });
  await expect(main.getByText("The fleet has been told.")).toBeVisible();
  await main.getByRole("button", { name: "Put to sleep" }).click();
  const slept = page.waitForRequest("**/fleet/sleep");
  await page.getByRole("button", { name: "Yes" }).click();
  await slept;
  const woken = page.waitForRequest("**/fleet/wake");
  await main.getByRole("button", { name: "Wake" }).click();
  await woken;
  await expect(main.getByText("The fleet has been told.")).toBeVisible();
});

test("draws the last hours, and writes them down", { tag: "@fleet" }, async ({ page, stage }) => {
  await signIn(page, stage, stage.admin, "#/fleet");
  const main = page.getByRole("main");
  await expect(main.getByRole("figure")).toHaveCount(6);
  await main.getByText("As a table").click();
  await expect(main.getByRole("columnheader", { name: "Tokens per second" })).toBeVisible();
});

test("adds and deletes a model", { tag: "@fleet" }, async ({ page, stage }) => {
  test.slow();
  await wakeUp(stage);
  await signIn(page, stage, stage.admin, "#/models");
  const main = page.getByRole("main");
  await expect(main.getByRole("rowheader", { name: /gemma/ }).first()).toBeVisible();
  await main.getByLabel("Name of the model").fill("qwen3:4b");
  await main.getByRole("button", { name: "Add", exact: true }).click();
  await expect(main.getByText(/^Adding: /)).toBeVisible();
  await expect(main.getByText("The model is there.")).toBeVisible({ timeout: 60_000 });
  const row = main.getByRole("row", { name: /qwen3:4b/ });
  await expect(row).toBeVisible();
  await row.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("button", { name: "Yes" }).click();
  // Every node deletes its own within ten seconds.
  await expect(row).toHaveCount(0, { timeout: 60_000 });
});

test("creates a key, shows it once, and revokes it", { tag: "@fleet" }, async ({ page, stage }) => {
  await signIn(page, stage, stage.admin, "#/keys");
  const main = page.getByRole("main");
  const owner = `robot-${Date.now()}`;
  await main.getByLabel("Owner").fill(owner);
  await main.getByRole("button", { name: "Create" }).click();
  await expect(page.locator(".secret")).toHaveText(/\S{16,}/);
  await page.keyboard.press("Escape");
  await expect(page.locator(".secret")).toHaveCount(0);
  const row = main.getByRole("row", { name: owner });
  await expect(row).toContainText("active");
  await row.getByRole("button", { name: "Revoke" }).click();
  await page.getByRole("button", { name: "Yes" }).click();
  await expect(row).toContainText("revoked");
});

test("shows usage, shuts somebody out and lets them in again", { tag: "@fleet" }, async ({ page, stage }) => {
  await signIn(page, stage, stage.admin, "#/people");
  const main = page.getByRole("main");
  await expect(main.getByRole("heading", { name: "Everybody's last 31 days" })).toBeVisible();
  await main.getByLabel("Person or key").fill("key#somebody-gone");
  await main.getByLabel("Reason").fill("left");
  await main.getByRole("button", { name: "Shut out", exact: true }).click();
  await page.getByRole("button", { name: "Yes" }).click();
  const line = main.getByRole("listitem").filter({ hasText: "somebody-gone" });
  await expect(line).toBeVisible();
  await line.getByRole("button", { name: "Let in again" }).click();
  await expect(line).toHaveCount(0);
});

test("says so when the gateway does not let one in", async ({ page, stage }) => {
  await page.route("**/fleet/keys", route =>
    route.fulfill({ status: 403, json: { error: "this needs an administrator" } }),
  );
  await signIn(page, stage, stage.admin, "#/keys");
  await expect(page.getByRole("alert")).toContainText("Your account may not do this.");
  await expect(page.getByRole("alert")).toContainText("this needs an administrator");
});
