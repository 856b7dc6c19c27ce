/** Every word the page says, in Japanese, room by room. */
import type { Words } from "./catalogue";
import { admin } from "./ja/admin";
import { offers } from "./ja/catalogue";
import { costs } from "./ja/costs";
import { chat } from "./ja/chat";
import { fleet } from "./ja/fleet";
import { keys } from "./ja/keys";
import { models } from "./ja/models";
import { people } from "./ja/people";
import { shell } from "./ja/shell";
import { translate } from "./ja/translate";

export const ja: Words = {
  ...shell,
  ...translate,
  ...chat,
  ...fleet,
  ...models,
  ...keys,
  ...people,
  ...admin,
  ...costs,
  ...offers,
};
