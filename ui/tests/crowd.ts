/** More people than a fleet has room for: they ask and ask until its queue is full, and stay until they are let go. */
import { readFileSync } from "node:fs";
import { Agent, request } from "node:https";

/** What of `demo.json` a crowd needs. */
export interface Place {
  readonly url: string;
  readonly ca_file: string;
  readonly tokens: { readonly colleagues: readonly string[] };
  readonly models: { readonly chat: string };
}

/** Milliseconds between two groups, and people in each. */
const EVERY = 100;
const GROUP = 8;

/** Milliseconds within which the queue must be full. */
const PATIENCE = 30_000;

/** Lets everybody go. */
export type Leave = () => void;

/** Resolves once somebody has been sent away; further ones come until they are let go, so that it stays full. */
export function crowd({ url, ca_file, tokens, models }: Place): Promise<Leave> {
  const agent = new Agent({ ca: readFileSync(ca_file), keepAlive: true });
  const question = JSON.stringify({
    model: models.chat,
    messages: [{ role: "user", content: "Is there room?" }],
  });
  const { colleagues } = tokens;
  let number = 0;
  return new Promise((full, failed) => {
    const ask = () => {
      const token = colleagues[number++ % colleagues.length] ?? "";
      const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
      const asking = request(`${url}/api/chat`, { agent, method: "POST", headers }, answer => {
        answer.resume().on("error", () => undefined);
        if (answer.statusCode === 503) full(leave);
      });
      // Who is let go has no answer.
      asking.on("error", () => undefined);
      asking.end(question);
    };
    const coming = setInterval(() => {
      for (let n = 0; n < GROUP; n += 1) ask();
    }, EVERY);
    const leave = () => {
      clearInterval(coming);
      clearTimeout(late);
      agent.destroy();
    };
    const late = setTimeout(() => {
      leave();
      failed(new Error("the queue was never full"));
    }, PATIENCE);
  });
}
