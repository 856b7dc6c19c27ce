/** Every word the page says, in English, room by room. The other languages have the same shape, or the build fails. */
import { admin } from "./en/admin";
import { offers } from "./en/catalogue";
import { costs } from "./en/costs";
import { chat } from "./en/chat";
import { fleet } from "./en/fleet";
import { keys } from "./en/keys";
import { models } from "./en/models";
import { people } from "./en/people";
import { shell } from "./en/shell";
import { translate } from "./en/translate";

export const en = {
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
