/** The start: read the configuration, end a sign-in that comes back, show the page. */
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { keepDraftsOverSignIn } from "./chat/drafts";
import { ConfigError, fetchConfig } from "./config";
import { type Setup, Page } from "./shell/page";
import { keptLook, keptTongue, show } from "./shell/preferences";
import { Keeper } from "./sign-in/session";
import { keepDraftOverSignIn } from "./translate/draft";

async function setup(): Promise<Setup> {
  try {
    const config = await fetchConfig();
    const keeper = new Keeper(config);
    void keeper.start();
    return { config, keeper };
  } catch (error) {
    return { mistakes: error instanceof ConfigError ? error.mistakes : ["config.json could not be fetched"] };
  }
}

const place = document.getElementById("page");
if (place !== null) {
  show(keptTongue(), keptLook());
  keepDraftOverSignIn();
  keepDraftsOverSignIn();
  const made = await setup();
  createRoot(place).render(
    <StrictMode>
      <Page setup={made} />
    </StrictMode>,
  );
}
