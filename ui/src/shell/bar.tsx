/** The bar over every room. Without a person it has no doors. */
import { type ReactNode, use, useEffect, useRef } from "react";

import { Icon } from "../parts/icon";
import { useSpeech } from "../words/speak";
import { addressOf, roomsOf, useRoom } from "./rooms";
import { type Surroundings, SurroundingsContext } from "./surroundings";

export function Bar({
  name,
  onSignOut,
  children,
}: {
  name: string;
  onSignOut?: () => void;
  children: ReactNode;
}) {
  const { words } = useSpeech();
  const surroundings = use(SurroundingsContext);
  return (
    <header className="bar">
      <a
        className="skip"
        href="#room"
        onClick={event => {
          // The address belongs to the rooms.
          event.preventDefault();
          (document.querySelector<HTMLElement>("#source, #say") ?? document.getElementById("room"))?.focus();
        }}
      >
        {words.skip}
      </a>
      <span className="brand">
        <img src="./mark.svg" alt="" width="26" height="26" />
        {name}
      </span>
      {surroundings !== null && <Doors surroundings={surroundings} />}
      <span className="push" />
      {surroundings !== null && <FleetChip surroundings={surroundings} />}
      <details className="menu">
        <summary aria-label={surroundings?.person.name ?? words.account.appearance}>
          <Icon name={surroundings === null ? "moon" : "person"} />
          <span className="only-wide">{surroundings?.person.name}</span>
        </summary>
        <div className="menu-body">
          {surroundings !== null && <p className="menu-name">{surroundings.person.name}</p>}
          {children}
          {onSignOut !== undefined && (
            <button type="button" onClick={onSignOut}>
              {words.account.signOut}
            </button>
          )}
        </div>
      </details>
    </header>
  );
}

function Doors({ surroundings }: { surroundings: Surroundings }) {
  const { words } = useSpeech();
  const here = useRoom();
  const doors = useRef<HTMLElement>(null);
  useEffect(() => {
    // On a phone the row of doors is wider than the screen: the one that is open stands in its middle.
    const door = doors.current?.querySelector<HTMLElement>("[aria-current]");
    if (doors.current === null || door == null) return;
    doors.current.scrollLeft =
      door.offsetLeft - doors.current.offsetLeft - (doors.current.clientWidth - door.clientWidth) / 2;
  }, [here]);
  return (
    <nav ref={doors} aria-label={words.rooms.label}>
      {roomsOf(surroundings.person).map(room => (
        <a key={room} href={addressOf(room)} aria-current={room === here ? "page" : undefined}>
          {words.rooms[room]}
        </a>
      ))}
    </nav>
  );
}

function FleetChip({ surroundings: { fleet } }: { surroundings: Surroundings }) {
  const { words } = useSpeech();
  const phase = fleet?.phase ?? "unknown";
  if (phase === "unknown") return null;
  return (
    <span
      className={`chip ${phase}`}
      title={
        phase === "asleep" && fleet !== null ? words.fleetChip.asleepHint(fleet.expectedWait) : undefined
      }
    >
      <span className="for-ears">{words.fleetChip.label}: </span>
      {words.fleetChip[phase]}
    </span>
  );
}
