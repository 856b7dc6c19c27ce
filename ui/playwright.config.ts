import { defineConfig } from "@playwright/test";

/** Debian's Chromium, started as a machine without a network and with root as its only user needs it. */
export default defineConfig({
  testDir: "tests",
  testMatch: "*.spec.ts",
  timeout: 60_000,
  expect: { timeout: 15_000 },
  // A demo is one fleet for all tests, and has one page beside it.
  workers: (process.env.PAGE_DEMO ?? "") === "" ? 2 : 1,
  reporter: process.env.TAP === "1" ? "./tests/tap.ts" : "list",
  outputDir: "test-results",
  use: {
    ignoreHTTPSErrors: true,
    locale: "en-GB",
    viewport: { width: 1280, height: 800 },
    permissions: ["clipboard-read", "clipboard-write"],
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
});
