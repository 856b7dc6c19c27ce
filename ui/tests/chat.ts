/** What the tests of the chat share: the places on the screen, and how one talks. */
import type { Page } from "@playwright/test";

import { type Stage, expect, signIn, wakeUp } from "./stage";

/** The stand-in as it begins: awake, and nobody has said anything. */
export function fresh({ standIn }: Stage): void {
  if (standIn === null) return;
  Object.assign(standIn.world, { phase: "awake", pace: 8, wakeSeconds: 3, limited: 0 });
  standIn.world.talks.clear();
}

export const field = (page: Page) => page.getByRole("textbox", { name: "Message" });
export const model = (page: Page) => page.getByRole("combobox", { name: "Model" });
export const rows = (page: Page) => page.locator(".talks a");
export const said = (page: Page) => page.locator(".said");
export const answers = (page: Page) => page.locator(".said:not(.mine)");
export const status = (page: Page) => page.locator(".talk-status [role=status]");

/** On a fleet an answer takes seconds, and a model may have to be loaded first. */
export const ANSWERED = { timeout: 60_000 };

export async function say(page: Page, text: string): Promise<void> {
  await field(page).fill(text);
  await field(page).press("Enter");
}

/** Signs in before a fleet that is awake: before it ever was, it knows no models. */
export async function enter(page: Page, stage: Stage): Promise<void> {
  if (stage.standIn === null) await wakeUp(stage);
  await signIn(page, stage, stage.person, "#/chat");
  // A fleet that has just woken says its models a little later.
  await expect(model(page)).not.toHaveValue("", { timeout: 45_000 });
}

/** Begins a conversation, with a text that no other test uses, and waits for the answer. */
export async function begin(page: Page, stage: Stage, text: string): Promise<void> {
  await enter(page, stage);
  await say(page, text);
  await expect(status(page)).toHaveText("The answer is complete.", ANSWERED);
}

/** Turns to a new conversation, and waits until it is there: before that, what is typed belongs to the old one. */
export async function turnToNew(page: Page): Promise<void> {
  await page.getByRole("link", { name: "New conversation" }).click();
  await expect(page.getByRole("heading", { name: "What do you want to talk about?" })).toBeVisible();
}

export async function remove(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await page.getByRole("button", { name: "Yes" }).click();
  await expect(page.getByRole("heading", { name: "What do you want to talk about?" })).toBeVisible();
}

/** Refuses what is said as the gateway does. */
export async function refuse(page: Page, code: number, error: string, seconds?: number): Promise<void> {
  const headers: Record<string, string> = { "access-control-expose-headers": "X-Request-Id, Retry-After" };
  if (seconds !== undefined) headers["retry-after"] = String(seconds);
  await page.route("**/conversations/*/messages", route =>
    route.fulfill({ status: code, headers, json: { error } }),
  );
}
