/** What the fleet costs: Amazon's figures beside our own, the forecast against the budget, and all of it as CSV. */
import { readFile } from "node:fs/promises";

import type { Page } from "@playwright/test";

import { findings } from "./axe";
import { fits } from "./width";
import { costs } from "./stand-in/costs";
import { type Stage, expect, signIn, test } from "./stage";

/** The preset month, with something else in it. */
function preset(stage: Stage, more: Record<string, unknown> = {}): void {
  if (stage.standIn !== null) stage.standIn.world.costs = { ...costs(), ...more };
}

const main = (page: Page) => page.getByRole("main");
const figure = (page: Page, name: string) =>
  main(page).locator("dl.figures > div").filter({ hasText: name }).locator("dd");

async function csvBehind(page: Page, button: string): Promise<string> {
  const coming = page.waitForEvent("download");
  await main(page).getByRole("button", { name: button }).click();
  return readFile(await (await coming).path(), "utf8");
}

test.describe("of a preset month", () => {
  test.skip(({ stage }) => stage.standIn === null, "the figures are the stand-in's");
  test.beforeEach(({ stage }) => preset(stage));

  test("shows both sums, the forecast and what is too much", async ({ page, stage }) => {
    await signIn(page, stage, stage.admin, "#/costs");
    await expect(main(page).getByRole("heading", { name: "November 2026, so far" })).toBeVisible();
    await expect(figure(page, "Spent, says Amazon")).toHaveText("$244.10");
    await expect(figure(page, "Our estimate")).toHaveText("$80.76");
    await expect(figure(page, "By the month's end")).toHaveText("$362.20");
    await expect(figure(page, "Budget")).toHaveText("$300.00");
    await expect(
      main(page).getByText("At this pace the month ends at 121% of the budget: $62.20 too much."),
    ).toBeVisible();
    await expect(main(page).getByText(/^Amazon's figures as of /)).toBeVisible();
    await expect(main(page).getByText("everything tagged Fleet=translate")).toBeVisible();
  });

  test("draws the days by service, and writes them down", async ({ page, stage }) => {
    await signIn(page, stage, stage.admin, "#/costs");
    const bars = main(page).getByRole("img", { name: "Bars of 20 days, $244.10 in all" });
    await expect(bars.locator("rect")).toHaveCount(20 * 6);
    const legend = main(page).getByRole("listitem");
    await expect(legend.filter({ hasText: "Compute Cloud" })).toContainText("$187.50");
    await expect(legend.filter({ hasText: "Others" }), "the two cheapest").toContainText("$1.40");
    await expect(
      main(page).getByRole("img", {
        name: /Line from nothing to \$244\.10 so far, dashed on to \$362\.20/,
      }),
    ).toBeVisible();
    await main(page).getByText("As a table").click();
    const first = main(page).getByRole("row", { name: /^Nov 1 / });
    await expect(first).toContainText("$10.50");
    await expect(first).toContainText("$13.33");
  });

  test("lists people and models, the most first", async ({ page, stage }) => {
    await signIn(page, stage, stage.admin, "#/costs");
    const rows = main(page).locator("tbody tr:visible");
    await expect(rows.nth(0)).toContainText("#tanaka");
    await expect(rows.nth(0)).toContainText("$2.73");
    await expect(rows.nth(1)).toContainText("translategemma:4b");
    await expect(rows.filter({ hasText: "HYPERLINK" })).toContainText("not known");
  });

  test("gives CSV that no spreadsheet runs", async ({ page, stage }) => {
    await signIn(page, stage, stage.admin, "#/costs");
    const days = await csvBehind(page, "Days as CSV");
    expect(days.split("\n").slice(0, 2)).toEqual([
      "\uFEFFday,service,amount,currency",
      "2026-11-01,Amazon Elastic Compute Cloud - Compute,10.5,USD",
    ]);
    expect(days.trim().split("\n")).toHaveLength(1 + 20 * 7);
    const people = await csvBehind(page, "People as CSV");
    expect(people).toContain(`2026-11,"'=cmd|""/C calc""!A0",gemma3n:e4b,40,12400,10400,900,0.13,USD`);
    expect(people).toContain("2026-11,key#=HYPERLINK(1),,80,");
  });

  test("says that Amazon is not asked, and shows its own figures", async ({ page, stage }) => {
    preset(stage, { explorer: null, forecast: { amount: 76.1, basis: "estimate" }, budget: 100 });
    await signIn(page, stage, stage.admin, "#/costs");
    await expect(main(page).getByText(/^Amazon's figures are not asked for here/)).toBeVisible();
    await expect(main(page).getByText("Spent, says Amazon")).toHaveCount(0);
    await expect(main(page).getByText("At this pace the month ends at 76% of the budget.")).toBeVisible();
    await expect(main(page).getByRole("heading", { name: "Our estimate of the work by day" })).toBeVisible();
    // Work is 7.80 of it; machines that waited and what always runs are in the course all the same.
    await expect(main(page).getByRole("img", { name: /Line from nothing to \$80\.76 so far/ })).toBeVisible();
    await expect(main(page).getByText(/^What no request used/)).toBeVisible();
    const days = await csvBehind(page, "Days as CSV");
    expect(days).toContain("\n2026-11-01,40,12400,10400,900,0.13,USD\n");
  });

  test("says why Amazon's figures could not be had", async ({ page, stage }) => {
    preset(stage, { explorer: null, explorer_error: "the role may not call ce:GetCostAndUsage" });
    await signIn(page, stage, stage.admin, "#/costs");
    await expect(page.getByRole("alert")).toContainText("Amazon's figures could not be had.");
    await expect(page.getByRole("alert")).toContainText("ce:GetCostAndUsage");
    await expect(main(page).getByText(/are not asked for here/)).toHaveCount(0);
  });

  test("counts GPU hours where there is no price, and nothing where nothing was done", async ({
    page,
    stage,
  }) => {
    const { estimate } = costs() as { estimate: { days: object[]; people: object[] } };
    const noPrice = (lines: object[]) => lines.map(line => ({ ...line, amount: null }));
    const bare = {
      explorer: null,
      forecast: { amount: null, basis: "estimate" },
      budget: null,
      estimate: {
        ...estimate,
        gpu_hour: null,
        amount: null,
        fixed_month: null,
        days: noPrice(estimate.days),
        people: noPrice(estimate.people),
      },
    };
    preset(stage, bare);
    await signIn(page, stage, stage.admin, "#/costs");
    await expect(figure(page, "Our estimate")).toHaveText("no price set");
    await expect(main(page).getByRole("heading", { name: "GPU hours by day" })).toBeVisible();
    await expect(main(page).getByText(/costs\.gpu_hour/)).toBeVisible();
    await expect(main(page).getByRole("heading", { name: "The month's course" })).toHaveCount(0);
    // As the gateway has a month that has only begun: its days are there, with nothing in them.
    const idle = { day: "2026-11-01", requests: 0, prompt_tokens: 0, output_tokens: 0, gpu_seconds: 0 };
    preset(stage, { ...bare, estimate: { ...bare.estimate, gpu_hours: 0, days: [idle], people: [] } });
    await page.reload();
    await signIn(page, stage, stage.admin, "#/costs");
    await expect(main(page).getByText("There are no figures for this month yet.")).toBeVisible();
    await expect(main(page).getByText("Nobody has used the fleet this month.")).toBeVisible();
    expect(await findings(page)).toEqual([]);
  });

  for (const choice of ["light", "dark"] as const) {
    test(`has no finding of axe, ${choice}, and fits a phone`, async ({ page, stage }) => {
      await page.setViewportSize({ width: 360, height: 740 });
      await page.addInitScript(look => localStorage.setItem("page.look", look), choice);
      await signIn(page, stage, stage.admin, "#/costs");
      await expect(main(page).getByRole("img").first()).toBeVisible();
      await main(page).getByText("As a table").click();
      expect(await findings(page)).toEqual([]);
      expect(await fits(page)).toBe(true);
    });
  }

  test("speaks Japanese", async ({ page, stage }) => {
    await page.addInitScript(() => localStorage.setItem("page.tongue", "ja"));
    await signIn(page, stage, stage.admin, "#/costs");
    await expect(main(page).getByRole("heading", { name: "2026年11月 (現在まで)" })).toBeVisible();
    await expect(main(page).getByText("予算の 121% になります")).toBeVisible();
    expect(await findings(page)).toEqual([]);
  });
});

test("has a door for operators, and shows them what there is", { tag: "@fleet" }, async ({ page, stage }) => {
  preset(stage);
  await signIn(page, stage, stage.admin);
  await page.getByRole("navigation").getByRole("link", { name: "Costs" }).click();
  await expect(main(page).getByRole("heading", { name: "Costs", level: 1 })).toBeVisible();
  await expect(main(page).getByRole("heading", { name: /so far$/ })).toBeVisible();
  await expect(page.getByRole("alert")).toHaveCount(0);
});

test("has no door for others", { tag: "@fleet" }, async ({ page, stage }) => {
  await signIn(page, stage, stage.person, "#/costs");
  await expect(page.getByRole("navigation").getByRole("link", { name: "Costs" })).toHaveCount(0);
  await expect(page.getByRole("heading", { name: "Costs" })).toHaveCount(0);
});
