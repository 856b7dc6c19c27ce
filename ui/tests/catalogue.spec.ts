/** The catalogue of models: what they can, whether they fit, one click to have them, and a question where they do not fit. */
import type { Page } from "@playwright/test";

import { findings } from "./axe";
import { fits } from "./width";
import { expect, signIn, test } from "./stage";

const main = (page: Page) => page.getByRole("main");
const card = (page: Page, title: string) =>
  main(page)
    .locator(".offer")
    .filter({ has: page.getByRole("heading", { name: title }) });

test.beforeEach(({ stage }) => {
  if (stage.standIn === null) return;
  Object.assign(stage.standIn.world, { phase: "awake", pace: 5 });
  stage.standIn.world.models.splice(2);
});

test("offers models with what one must know of them", { tag: "@fleet" }, async ({ page, stage }) => {
  await signIn(page, stage, stage.admin, "#/models");
  await expect(main(page).getByRole("heading", { name: "Models that run well here" })).toBeVisible();
  const offers = main(page).locator(".offer");
  await expect(offers.first()).toBeVisible();
  for (const fact of ["Languages", "Context", "Parameters", "Download", "Memory at work", "Licence"])
    await expect(offers.first()).toContainText(fact);
  await expect(offers.first().locator(".fits")).toContainText(/GPU's memory/);
});

test.describe("on the stand-in", () => {
  test.skip(({ stage }) => stage.standIn === null, "the catalogue is the stand-in's");

  test("says in words what fits, and what is here", async ({ page, stage }) => {
    await signIn(page, stage, stage.admin, "#/models");
    await expect(
      main(page).getByText(/reckoned for g4dn\.xlarge: 16\.1\sGB of GPU memory, 4\.2\sGB/),
    ).toBeVisible();
    await expect(card(page, "Gemma 3n E4B")).toContainText("is here");
    await expect(card(page, "Gemma 3n E4B").getByRole("button")).toHaveCount(0);
    const large = card(page, "Gemma 3 27B");
    await expect(large).toContainText("does not fit into the GPU's memory");
    await expect(large).toContainText("it needs 15 GB more of GPU memory; g6e.xlarge would do");
    await expect(large).toContainText("many languages");
    await expect(card(page, "Nomic Embed Text")).toContainText("whether it fits on the disk is not known");
    const small = card(page, "Qwen3 4B");
    await expect(small).toContainText("English, Chinese, Japanese, German");
    await expect(small).toContainText("40,960 tokens");
    await expect(small.getByRole("link")).toHaveAttribute("href", "https://ollama.com/library/qwen3");
    await expect(card(page, "Aya Expanse 8B").getByRole("link"), "no address a browser runs").toHaveCount(0);
  });

  test("adds what fits with one click, and tells how far it is", async ({ page, stage }) => {
    if (stage.standIn !== null) stage.standIn.world.pace = 60;
    await signIn(page, stage, stage.admin, "#/models");
    const pulled = page.waitForRequest("**/api/pull");
    await card(page, "Qwen3 4B").getByRole("button", { name: "Add Qwen3 4B" }).click();
    expect((await pulled).postDataJSON()).toMatchObject({ model: "qwen3:4b" });
    await expect(card(page, "Qwen3 4B").getByRole("progressbar")).toBeVisible();
    await expect(card(page, "Qwen3 4B")).toContainText("is here");
    await expect(main(page).getByRole("rowheader", { name: "qwen3:4b" })).toBeVisible();
    await expect(main(page).getByText("Qwen3 4B is there.")).toBeVisible();
  });

  test("asks before it adds what does not fit", async ({ page, stage }) => {
    await signIn(page, stage, stage.admin, "#/models");
    const asked: string[] = [];
    page.on("request", request => {
      if (request.url().endsWith("/api/pull")) asked.push(request.postData() ?? "");
    });
    for (const [title, why] of [
      ["Gemma 3 27B", "does not fit into the GPU's memory"],
      ["Aya Expanse 8B", "does not fit on the disk"],
    ] as const) {
      await card(page, title)
        .getByRole("button", { name: `Add ${title}` })
        .click();
      await expect(page.getByRole("dialog")).toContainText(why);
      await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
    }
    expect(asked).toEqual([]);
    await card(page, "Aya Expanse 8B").getByRole("button").click();
    await page.getByRole("dialog").getByRole("button", { name: "Yes" }).click();
    await expect(card(page, "Aya Expanse 8B")).toContainText("is here");
    expect(asked).toHaveLength(1);
  });

  test("shows a failed pull on its card", async ({ page, stage }) => {
    await page.route("**/api/pull", route =>
      route.fulfill({ body: '{"status":"pulling"}\n{"error":"no space left on device"}\n' }),
    );
    await signIn(page, stage, stage.admin, "#/models");
    await card(page, "Qwen3 4B").getByRole("button").click();
    await expect(card(page, "Qwen3 4B").getByRole("alert")).toContainText("no space left on device");
    await expect(card(page, "Qwen3 4B")).not.toContainText("is here");
  });

  test("shows those of a language, and those that fit", async ({ page, stage }) => {
    await signIn(page, stage, stage.admin, "#/models");
    const offers = main(page).locator(".offer");
    await expect(offers).toHaveCount(5);
    await main(page).getByLabel("Language").selectOption("ar");
    await expect(offers.getByRole("heading")).toHaveText(["Gemma 3n E4B", "Gemma 3 27B", "Aya Expanse 8B"]);
    await main(page).getByLabel("Only what fits").check();
    await expect(offers.getByRole("heading")).toHaveText(["Gemma 3n E4B"]);
    await expect(main(page).getByText("1 model", { exact: true })).toBeVisible();
  });

  for (const choice of ["light", "dark"] as const) {
    test(`has no finding of axe, ${choice}, and fits a phone`, async ({ page, stage }) => {
      await page.setViewportSize({ width: 360, height: 740 });
      await page.addInitScript(look => localStorage.setItem("page.look", look), choice);
      await signIn(page, stage, stage.admin, "#/models");
      await expect(main(page).locator(".offer")).toHaveCount(5);
      expect(await findings(page)).toEqual([]);
      expect(await fits(page)).toBe(true);
      await card(page, "Gemma 3 27B").getByRole("button").click();
      expect(await findings(page), "asked").toEqual([]);
    });
  }

  test("speaks Japanese", async ({ page, stage }) => {
    await page.addInitScript(() => localStorage.setItem("page.tongue", "ja"));
    await signIn(page, stage, stage.admin, "#/models");
    await expect(card(page, "Gemma 3 27B")).toContainText("GPU メモリーに収まりません");
    expect(await findings(page)).toEqual([]);
  });
});
