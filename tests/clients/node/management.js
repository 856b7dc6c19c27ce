// What an administrator does with models: pull with progress, list, delete.
import { equal, ok } from "node:assert/strict";
import { ADMIN, ofOllama } from "./clients.js";
import { all, fails, promise } from "./promises.js";

const model = "smollm:135m";
const admin = ofOllama(ADMIN);
const listed = async () => (await admin.list()).models.some((each) => each.name === model);

promise("ollama-js: an administrator pulls a model and sees how far it is", async () => {
  const parts = await all(admin.pull({ model, stream: true }));
  equal(parts.at(-1).status, "success");
  ok(parts.some((part) => part.total && part.completed === part.total), "no progress");
});

promise("ollama-js: a pull that is not streamed answers once, with success", async () => {
  equal((await admin.pull({ model })).status, "success");
});

promise("ollama-js: a pulled model is in the list at once, and can be shown", async () => {
  ok(await listed(), "it is not in the list");
  await admin.show({ model });
});

promise("ollama-js: an administrator deletes a model, once", async () => {
  equal((await admin.delete({ model })).status, "success");
  equal((await fails(() => admin.delete({ model }))).status_code, 404);
});

promise("ollama-js: a deleted model leaves the list at once", async () => {
  ok(!(await listed()), "it is still in the list");
});
