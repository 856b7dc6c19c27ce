/** A fleet that sleeps, is full or is broken says so in sentences, counts down, and carries on by itself. */
import { expect, fallAsleep, refuse, result, signIn, test, translate } from "./stage";

test.beforeEach(({ stage }) => {
  if (stage.standIn !== null)
    Object.assign(stage.standIn.world, { phase: "awake", pace: 12, wakeSeconds: 3, limited: 0 });
});

test("wakes a sleeping fleet, counts down and carries on", { tag: "@fleet" }, async ({ page, stage }) => {
  test.skip(!stage.sleeps, "a single gateway does not sleep");
  test.slow();
  await fallAsleep(stage);
  await signIn(page, stage);
  await expect(page.locator(".bar .chip")).toContainText("Asleep");
  await translate(page, "Wake up, please.", "de");
  await expect(page.getByText(/The translation machines are (asleep|starting)/).last()).toBeVisible();
  await expect(page.locator(".countdown")).toContainText("carries on by itself");
  await expect(result(page)).toContainText(/\S{3}/, { timeout: 90_000 });
  await expect(page.getByRole("status").first()).toContainText("Translated", { timeout: 30_000 });
});

test("begins anew by itself where the gateway gave up waiting", async ({ page, stage }) => {
  await signIn(page, stage);
  let calls = 0;
  await page.route("**/fleet", async route => {
    const answer = (await (await route.fetch()).json()) as Record<string, unknown>;
    await route.fulfill({ json: calls < 2 ? { ...answer, state: "waking" } : answer });
  });
  await page.route("**/translate/stream", route => {
    calls += 1;
    if (calls > 1) return route.continue();
    return route.fulfill({
      status: 504,
      headers: { "retry-after": "2", "access-control-expose-headers": "Retry-After" },
      json: { error: "no node is ready yet" },
    });
  });
  await translate(page, "Patience.", "de");
  await expect(page.locator(".countdown")).toContainText("carries on by itself");
  await expect(page.getByRole("status").first()).toContainText("Translated");
  expect(calls).toBe(2);
});

test("says that one is over one's limit, and when it is over", { tag: "@fleet" }, async ({ page, stage }) => {
  await signIn(page, stage, stage.limited);
  const alert = page.getByRole("alert");
  let status = 200;
  // How many get through hangs on what else the page has asked in that minute.
  for (let n = 0; n < 6 && status === 200; n += 1) {
    const answered = page.waitForResponse("**/translate/stream");
    await translate(page, `Text ${n}.`, "de");
    status = (await answered).status();
    if (status === 200) await expect(page.getByRole("status").first()).toContainText("Translated");
  }
  expect(status).toBe(429);
  await expect(alert).toContainText("You have reached your limit");
  await expect(alert).toContainText(/You can try again in \d+ s/);
  await expect(alert.getByRole("button", { name: "Try again" })).toBeDisabled();
});

const REFUSALS: readonly [status: number, sentence: string][] = [
  [503, "Too many people are asking right now."],
  [403, "Your account may not do this."],
  [413, "larger than the service takes"],
  [502, "The language model had a fault."],
  [500, "The service had a fault."],
];

for (const [status, sentence] of REFUSALS) {
  test(`says in words what status ${status} means`, async ({ page, stage }) => {
    await signIn(page, stage);
    await refuse(page, status, 1);
    await translate(page, "Hello.", "de");
    await expect(page.getByRole("alert")).toContainText(sentence);
    if (status === 500) await expect(page.getByRole("alert")).toContainText("r-17");
    if (status === 503) {
      await page.unroute("**/translate/stream");
      await page.getByRole("button", { name: "Try again" }).click();
      await expect(page.getByRole("status").first()).toContainText("Translated");
    }
  });
}

test("says when the service cannot be reached, and when the connection breaks", async ({ page, stage }) => {
  await signIn(page, stage);
  await page.route("**/translate/stream", route => route.abort());
  await translate(page, "Hello.", "de");
  await expect(page.getByRole("alert")).toContainText("cannot be reached");
  await page.unroute("**/translate/stream");
  const cut =
    'event: start\ndata: {"segments":[{"index":0,"source":"Hello.","before":"","after":""}]}\n\nevent: delta\ndata: {"index":0,"text":"Hal"}\n\n';
  await page.route("**/translate/stream", route =>
    route.fulfill({ contentType: "text/event-stream", body: cut }),
  );
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(page.getByRole("alert")).toContainText("connection broke before the end");
  await expect(result(page)).toHaveText("Hal");
});
