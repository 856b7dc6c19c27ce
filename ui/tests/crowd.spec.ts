/** A fleet with more people before it than it has room for. Only a real one can be crowded. */
import { expect, fallAsleep, signIn, test, translate } from "./stage";

test(
  "says that there is no room, and translates when there is",
  { tag: "@fleet" },
  async ({ page, stage }) => {
    test.skip(stage.crowd === null, "nobody else comes to the stand-in");
    test.slow();
    // Asleep, so that nobody is served and the queue stays full.
    await fallAsleep(stage);
    await signIn(page, stage);
    const leave = await stage.crowd?.();
    await translate(page, "Is there room for one more?", "de");
    // The stream has begun by then: the 503 comes as an event in it.
    const alert = page.getByRole("alert");
    await expect(alert).toContainText("Too many people are translating right now.");
    leave?.();
    const again = alert.getByRole("button", { name: "Try again" });
    await expect(again).toBeEnabled({ timeout: 60_000 });
    await again.click();
    await expect(page.getByRole("status").first()).toContainText("Translated", { timeout: 90_000 });
  },
);
