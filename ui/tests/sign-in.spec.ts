/** One signs in through the issuer, tokens stay in memory, and everything that can go wrong is said. */
import { expect, result, signIn, source, test, translate } from "./stage";

test("signs in and out", { tag: "@fleet" }, async ({ page, stage }) => {
  await signIn(page, stage);
  await expect(page).toHaveURL(stage.page);
  await page.locator(".menu summary").click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page.getByRole("heading", { name: "Sign in to translate" })).toBeVisible();
});

test("keeps no token on the device", { tag: "@fleet" }, async ({ page, stage }) => {
  const tokens: string[] = [];
  page.on("response", response => {
    if (response.url().endsWith("/token"))
      void response.json().then((body: { access_token: string }) => tokens.push(body.access_token));
  });
  await signIn(page, stage);
  await expect.poll(() => tokens.length).toBe(1);
  const kept = await page.evaluate(async () => {
    const databases = await indexedDB.databases();
    return JSON.stringify([
      Object.entries(localStorage),
      Object.entries(sessionStorage),
      document.cookie,
      databases,
      location.href,
    ]);
  });
  expect(kept).not.toContain(tokens[0]);
  expect(kept).not.toContain("access_token");
  expect(kept).not.toContain("code=");
});

test("says that a token without an audience cannot be checked", async ({ page, stage }) => {
  await page.route("**/config.json", async route => {
    const config = (await (await route.fetch()).json()) as Record<string, unknown>;
    await route.fulfill({ json: { ...config, audience: "" } });
  });
  await page.goto(stage.page);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByLabel("Name").fill(stage.person[0]);
  await page.getByLabel("Password").fill(stage.person[1]);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("alert")).toContainText("`audience` is missing in config.json");
});

test("says when the issuer refuses, and when it cannot be reached", async ({ page, stage }) => {
  await page.goto(`${stage.page}?error=access_denied&error_description=no%20such%20luck&state=unknown`);
  await expect(page.getByRole("alert")).toBeVisible();
  await page.route("**/.well-known/openid-configuration", route => route.abort());
  await page.goto(stage.page);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("alert")).toContainText("cannot be reached");
});

test("keeps the text, and what has come, when the sign-in has expired", async ({ page, stage }) => {
  await signIn(page, stage);
  await translate(page, "First a text that is translated.", "de");
  await expect(page.getByRole("status").first()).toContainText("Translated");
  const before = await result(page).innerText();
  await page.route("**/fleet", route => route.fulfill({ status: 401, json: { error: "no" } }));
  await translate(page, "First a text that is translated.", "de");
  const alert = page.getByRole("alert");
  await expect(alert).toContainText("Your sign-in has expired");
  await expect(result(page)).toHaveText(before);
  await source(page).fill("A text that must not be lost.");
  await page.unroute("**/fleet");
  await alert.getByRole("button", { name: "Sign in" }).click();
  await page.getByLabel("Name").fill(stage.person[0]);
  await page.getByLabel("Password").fill(stage.person[1]);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(source(page)).toHaveValue("A text that must not be lost.");
});

test("comes back to the room one was in", { tag: "@fleet" }, async ({ page, stage }) => {
  await signIn(page, stage, stage.admin, "#/fleet");
  await expect(page.getByRole("heading", { name: "Fleet", level: 1 })).toBeVisible();
});

test("names every mistake of its configuration", async ({ page, stage }) => {
  await page.route("**/config.json", route =>
    route.fulfill({ json: { issuer: "http://evil.example", colour: "red" } }),
  );
  await page.goto(stage.page);
  const alert = page.getByRole("alert");
  await expect(alert).toContainText("issuer must be an https address");
  await expect(alert).toContainText("client_id must be a text");
  await expect(alert).toContainText("colour is not known");
});
