/** A fleet with more people before it than it has room for. Only a real one can be crowded. */
import { expect, fallAsleep, signIn, test, translate, wakeUp } from "./stage";

test.skip(({ stage }) => stage.crowd === null, "nobody else comes to the stand-in");

test(
  "carries on by itself where a fleet that starts had no room",
  { tag: "@fleet" },
  async ({ page, stage }) => {
    test.slow();
    await fallAsleep(stage);
    await signIn(page, stage);
    const leave = await stage.crowd?.();
    const asked: string[] = [];
    page.on("request", request => {
      if (request.url().endsWith("/translate/stream")) asked.push(request.url());
    });
    await translate(page, "Is there room for one more?", "de");
    await expect(page.locator(".countdown")).toContainText("carries on by itself");
    leave?.();
    await expect(page.getByRole("status").first()).toContainText("Translated", { timeout: 90_000 });
    expect(asked.length, "refused, and asked again").toBeGreaterThan(1);
  },
);

test(
  "says that there is no room, and translates when there is",
  { tag: "@fleet" },
  async ({ page, stage }) => {
    test.slow();
    await wakeUp(stage);
    await signIn(page, stage);
    const leave = await stage.crowd?.();
    const alert = page.getByRole("alert");
    // The stream has begun by then: the 503 comes as an event in it. One may also get the place of somebody just served.
    await expect(async () => {
      await translate(page, "Is there room for one more?", "de");
      await expect(alert).toContainText("Too many people are asking right now.", { timeout: 3000 });
    }).toPass({ timeout: 60_000 });
    leave?.();
    await translate(page, "There is room now.", "de");
    await expect(page.getByRole("status").first()).toContainText("Translated", { timeout: 60_000 });
    await expect(alert).toHaveCount(0);
  },
);
