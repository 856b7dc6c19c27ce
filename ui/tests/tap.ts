/** Reports one line a test, as `scripts/check.sh` counts them; what failed is told below its line. */
import type { Reporter, TestCase, TestResult } from "@playwright/test/reporter";

export default class Tap implements Reporter {
  printsToStdio() {
    return true;
  }

  onTestEnd(test: TestCase, result: TestResult): void {
    const name = test.titlePath().filter(Boolean).join(" > ");
    if (result.status === "skipped") return;
    const good = result.status === test.expectedStatus;
    const trouble = result.errors.map(({ message }) => message ?? "").join("\n");
    process.stdout.write(good ? `ok ${name}\n` : `not ok ${name}\n${trouble.replace(/^/gm, "    ")}\n`);
  }
}
