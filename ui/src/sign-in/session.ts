/**
 * Who is signed in. Authorization code with PKCE by a kept library; tokens live in memory and die with the page. Only
 * what the way to the issuer and back needs (state and verifier, no token) lies in the tab's session storage meanwhile.
 */
import {
  ErrorResponse,
  InMemoryWebStorage,
  type User,
  UserManager,
  WebStorageStateStore,
} from "oidc-client-ts";

import type { Config } from "../config";

/** What the shell shows. */
export type Session =
  | { readonly state: "out"; readonly note: Note | null }
  | { readonly state: "busy" }
  | {
      readonly state: "in";
      readonly person: Person;
      /** The token no longer holds: what is on the screen stays, and a new sign-in is offered. */
      readonly expired: boolean;
    };

/** Why nobody is signed in. */
export type Note =
  | { readonly kind: "signedOut" | "unfinished" | "unreachable" | "opaque" }
  | { readonly kind: "refused"; readonly reason: string };

/** Somebody who is signed in, as far as the page shows it. What one may do is the gateway's to say. */
export interface Person {
  readonly name: string;
  /** Issuer and subject: whose history this is. */
  readonly owner: string;
  readonly operates: boolean;
  readonly administers: boolean;
}

/** Signs in and out, keeps the token, tells who listens. */
export class Keeper {
  private readonly manager: UserManager;
  private readonly config: Config;
  private readonly listeners = new Set<() => void>();
  private session: Session = { state: "out", note: null };
  private accessToken: string | null = null;

  constructor(config: Config) {
    this.config = config;
    const page = location.origin + location.pathname;
    this.manager = new UserManager({
      authority: config.issuer,
      client_id: config.clientId,
      redirect_uri: page,
      post_logout_redirect_uri: page,
      response_type: "code",
      scope: config.scopes,
      ...(config.audience === "" ? {} : { extraQueryParams: { audience: config.audience } }),
      userStore: new WebStorageStateStore({ store: new InMemoryWebStorage() }),
      stateStore: new WebStorageStateStore({ store: sessionStorage }),
      // Renewal goes by refresh token or not at all: an iframe would need what the page's policy forbids.
      automaticSilentRenew: false,
      monitorSession: false,
    });
    this.manager.events.addAccessTokenExpiring(() => void this.renew());
  }

  readonly subscribe = (listener: () => void) => {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  };

  readonly current = () => this.session;

  readonly token = () => this.accessToken;

  /** Ends a sign-in that comes back from the issuer, if one does. */
  async start(): Promise<void> {
    const query = new URLSearchParams(location.search);
    if (!query.has("code") && !query.has("error")) return;
    this.tell({ state: "busy" });
    try {
      const user = await this.manager.signinRedirectCallback(location.href);
      leave(typeof user.state === "string" ? user.state : "");
      this.take(user);
    } catch (error) {
      leave("");
      this.tell({ state: "out", note: noteOf(error) });
    }
  }

  /** Goes to the issuer; comes back to where the person is now. */
  async signIn(): Promise<void> {
    this.tell({ state: "busy" });
    try {
      await this.manager.signinRedirect({ state: location.hash });
    } catch {
      this.tell({ state: "out", note: { kind: "unreachable" } });
    }
  }

  /** Forgets the tokens and ends the session at the issuer where there is a way to. */
  async signOut(): Promise<void> {
    const { logoutUrl, clientId } = this.config;
    const idToken = (await this.manager.getUser())?.id_token;
    await this.manager.removeUser();
    this.accessToken = null;
    this.tell({ state: "out", note: { kind: "signedOut" } });
    const back = location.origin + location.pathname;
    if (logoutUrl !== "") {
      location.assign(
        logoutUrl
          .replace("{client_id}", encodeURIComponent(clientId))
          .replace("{return_to}", encodeURIComponent(back)),
      );
      return;
    }
    // An issuer without `end_session_endpoint` has nothing more to end.
    await this.manager
      .signoutRedirect(idToken === undefined ? {} : { id_token_hint: idToken })
      .catch(() => undefined);
  }

  /** The gateway says that the token no longer holds. Its word counts, not this device's clock. */
  readonly expire = () => {
    if (this.session.state !== "in" || this.accessToken === null) return;
    this.accessToken = null;
    void this.manager.removeUser();
    this.tell({ ...this.session, expired: true });
  };

  private async renew(): Promise<void> {
    const user = await this.manager.getUser();
    if (user?.refresh_token === undefined) return;
    // A failed renewal is no news until the token runs out.
    const renewed = await this.manager.signinSilent().catch(() => null);
    if (renewed !== null) this.take(renewed);
  }

  private take(user: User): void {
    if (!isReadable(user.access_token)) {
      void this.manager.removeUser();
      this.tell({ state: "out", note: { kind: "opaque" } });
      return;
    }
    this.accessToken = user.access_token;
    this.tell({ state: "in", person: personOf(user, this.config), expired: false });
  }

  private tell(session: Session): void {
    this.session = session;
    for (const listener of this.listeners) listener();
  }
}

/** The gateway checks tokens by their signature: three parts, as a JWT has them. */
export function isReadable(token: string): boolean {
  return /^[\w-]+\.[\w-]+\.[\w-]+$/.test(token);
}

function personOf({ profile }: User, config: Config): Person {
  const claim = profile[config.groupsClaim];
  const groups = Array.isArray(claim) ? claim.map(String) : [];
  const among = (listed: readonly string[]) => listed.some(group => groups.includes(group));
  const administers = among(config.adminGroups);
  return {
    name: profile.name ?? profile.email ?? profile.preferred_username ?? profile.sub,
    owner: `${profile.iss} ${profile.sub}`,
    operates: administers || among(config.operatorGroups),
    administers,
  };
}

function noteOf(error: unknown): Note {
  if (error instanceof ErrorResponse)
    return { kind: "refused", reason: error.error_description ?? error.error ?? "" };
  return { kind: error instanceof TypeError ? "unreachable" : "unfinished" };
}

/** Takes code and state out of the address bar and the history of the tab. */
function leave(hash: string): void {
  history.replaceState(null, "", location.pathname + hash);
}
