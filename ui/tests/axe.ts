/** What axe finds on a page as it stands, and how to make the page light or dark. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

import type { Page } from "@playwright/test";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Runs axe with all its rules for WCAG 2.2 AA and its best practices. */
export async function findings(page: Page): Promise<unknown> {
  await page.evaluate(AXE);
  return page.evaluate(async () => {
    const axe = (
      globalThis as unknown as {
        axe: {
          run: () => Promise<{
            violations: { id: string; nodes: { html: string; failureSummary: string }[] }[];
          }>;
        };
      }
    ).axe;
    const { violations } = await axe.run();
    return violations.map(({ id, nodes }) => [
      id,
      nodes.map(({ html, failureSummary }) => `${html}\n${failureSummary}`),
    ]);
  });
}

export async function look(page: Page, choice: "light" | "dark"): Promise<void> {
  await page.evaluate(wanted => (document.documentElement.dataset.look = wanted), choice);
}
