/** The frame of every room: the bar with the doors, the fleet's state, the person; and the room one is in. */
import { type ReactNode, Suspense, lazy, useEffect, useMemo, useSyncExternalStore } from "react";

import type { Door } from "../api/door";
import { fleet } from "../api/fleet";
import { dropDrafts } from "../chat/drafts";
import type { Config } from "../config";
import { useLoad } from "../parts/load";
import type { Keeper, Person } from "../sign-in/session";
import { dropDraft } from "../translate/draft";
import { TranslateRoom } from "../translate/room";
import { useSpeech } from "../words/speak";
import { Bar } from "./bar";
import { type RoomName, roomsOf, useRoom } from "./rooms";
import { SignedOut } from "./signed-out";
import { SurroundingsContext, useSurroundings } from "./surroundings";

/** Milliseconds between two looks at the fleet: often while it changes, seldom else. */
const LOOK = { moving: 4_000, still: 20_000 };

const ROOMS: Readonly<Record<RoomName, React.ComponentType>> = {
  translate: TranslateRoom,
  chat: lazy(() => import("../chat/room")),
  fleet: lazy(() => import("../fleet/room")),
  models: lazy(() => import("../models/room")),
  keys: lazy(() => import("../keys/room")),
  people: lazy(() => import("../people/room")),
  costs: lazy(() => import("../costs/room")),
  admin: lazy(() => import("../admin/room")),
};

interface Props {
  readonly config: Config;
  readonly keeper: Keeper;
  /** The choice of language and appearance, for the menu. */
  readonly choices: ReactNode;
}

export function Shell({ config, keeper, choices }: Props) {
  const session = useSyncExternalStore(keeper.subscribe, keeper.current);
  useEffect(() => {
    document.title = config.name;
  }, [config.name]);
  if (session.state !== "in") {
    const note = session.state === "out" ? session.note : null;
    return (
      <>
        <Bar name={config.name}>{choices}</Bar>
        <SignedOut busy={session.state === "busy"} note={note} onSignIn={() => void keeper.signIn()} />
      </>
    );
  }
  return (
    <SignedIn
      config={config}
      keeper={keeper}
      choices={choices}
      person={session.person}
      expired={session.expired}
    />
  );
}

function SignedIn({
  config,
  keeper,
  choices,
  person,
  expired,
}: Props & { person: Person; expired: boolean }) {
  const door = useMemo<Door>(
    () => ({ origin: config.api, token: keeper.token, expired: keeper.expire }),
    [config, keeper],
  );
  const seen = useLoad("fleet", signal => fleet(door, signal), LOOK.still);
  const moving = seen.value !== null && seen.value.phase !== "awake";
  useOften(moving, seen.reload);
  const surroundings = useMemo(
    () => ({
      config,
      door,
      person,
      fleet: seen.value,
      look: seen.reload,
      signIn: () => void keeper.signIn(),
    }),
    [config, door, person, seen.value, seen.reload, keeper],
  );
  const signOut = () => {
    dropDraft();
    dropDrafts();
    void keeper.signOut();
  };
  return (
    <SurroundingsContext value={surroundings}>
      <Bar name={config.name} onSignOut={signOut}>
        {choices}
      </Bar>
      {expired && <Expired />}
      <Room />
    </SurroundingsContext>
  );
}

/** What is on the screen stays until the person goes to sign in. */
function Expired() {
  const { words } = useSpeech();
  const { signIn } = useSurroundings();
  return (
    <div className="expired notice problem" role="alert">
      <p>{words.account.again}</p>
      <button type="button" className="primary" onClick={signIn}>
        {words.account.signIn}
      </button>
    </div>
  );
}

function Room() {
  const { words } = useSpeech();
  const { person } = useSurroundings();
  const asked = useRoom();
  const room = roomsOf(person).includes(asked) ? asked : "translate";
  const Inside = ROOMS[room];
  useEffect(() => {
    document.getElementById("room")?.scrollTo(0, 0);
  }, [room]);
  return (
    <main id="room" tabIndex={-1} aria-label={words.rooms[room]}>
      <Suspense fallback={null}>
        <Inside />
      </Suspense>
    </main>
  );
}

function useOften(on: boolean, look: () => void): void {
  useEffect(() => {
    if (!on) return;
    const timer = setInterval(() => {
      if (document.visibilityState === "visible") look();
    }, LOOK.moving);
    return () => clearInterval(timer);
  }, [on, look]);
}
