/// <reference types="vitest/config" />
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

/** The development server writes scripts into the page, which the page's policy forbids: there, and only there, it goes. */
const policyOnlyWhenBuilt: Plugin = {
  name: "policy-only-when-built",
  apply: "serve",
  transformIndexHtml: html => html.replace(/<meta\s+http-equiv="Content-Security-Policy"[^>]*>/, ""),
};

export default defineConfig({
  // Relative, so that one build works under /ui/ and at the root of any web server.
  base: "./",
  plugins: [react(), policyOnlyWhenBuilt],
  build: {
    target: "es2022",
    // Nothing as a data: address, which the policy would have to allow.
    assetsInlineLimit: 0,
    cssCodeSplit: false,
    modulePreload: { polyfill: false },
  },
  test: { include: ["tests/units/**/*.test.ts"] },
});
