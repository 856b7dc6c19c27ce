/** Whether a page goes sideways. */
import type { Page } from "@playwright/test";

export const fits = (page: Page) => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);
