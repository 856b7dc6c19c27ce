/** What administrators look after: people and their conversations, a search through them, and the log of every look. */
import { useState } from "react";

import { type Somebody, people } from "../api/moderation";
import { useLoad } from "../parts/load";
import { useSurroundings } from "../shell/surroundings";
import { useSpeech } from "../words/speak";
import { LogPart } from "./log";
import { Panel } from "./panel";
import { PeoplePart } from "./people";
import { PersonPart } from "./person";
import { SearchPart } from "./search";
import { ViewPart, type Which } from "./view";

/** Has the person read, since the page was loaded, that looks are recorded? */
const told = { yes: false };

export default function AdminRoom() {
  const { words } = useSpeech();
  const [agreed, setAgreed] = useState(told.yes);
  const agree = () => {
    told.yes = true;
    setAgreed(true);
  };
  return (
    <div className="room">
      <div className="row spread">
        <h1>{words.admin.title}</h1>
        {agreed && <p className="hint">{words.admin.recorded}</p>}
      </div>
      {agreed ? <Parts /> : <Before onAgree={agree} />}
    </div>
  );
}

/** Nothing is asked for, and so nothing recorded, before this. */
function Before({ onAgree }: { onAgree: () => void }) {
  const { words } = useSpeech();
  return (
    <section className="card before">
      <h2>{words.admin.before.title}</h2>
      <p>{words.admin.before.why}</p>
      <div className="row">
        <button type="button" className="primary" onClick={onAgree}>
          {words.admin.before.agree}
        </button>
      </div>
    </section>
  );
}

const PARTS = ["people", "search", "log"] as const;
type Main = (typeof PARTS)[number];

/** Where one is: one of the parts, or deeper in it. */
interface Place {
  readonly main: Main;
  /** Whose conversations are listed. */
  readonly person: string | null;
  /** Which conversation is read. */
  readonly which: Which | null;
}

/** Everybody, as listed once, with what has been changed since: listing again would be one more entry in the log. */
function useEverybody() {
  const { door } = useSurroundings();
  const loaded = useLoad("people", () => people(door));
  const [changed, setChanged] = useState<ReadonlyMap<string, boolean>>(new Map());
  const value = loaded.value?.map((one): Somebody => {
    return { ...one, denied: changed.get(one.principal) ?? one.denied };
  });
  const deny = (principal: string, denied: boolean) => setChanged(new Map([...changed, [principal, denied]]));
  return { everybody: { ...loaded, value: value ?? null }, changed, deny };
}

/** What one has looked at stays as it is when one comes back, for the same reason. */
function Parts() {
  const { words } = useSpeech();
  const { everybody, changed, deny } = useEverybody();
  const [{ main, person, which }, setPlace] = useState<Place>({ main: "people", person: null, which: null });
  const [removed, setRemoved] = useState<ReadonlySet<string>>(new Set());
  const known = everybody.value?.find(({ principal }) => principal === person);
  const open = (which: Which | null) => setPlace({ main, person, which });
  return (
    <>
      <PartSwitch main={main} onMain={main => setPlace({ main, person: null, which: null })} />
      <Panel shown={main === "people" && person === null && which === null}>
        <PeoplePart everybody={everybody} onLook={person => setPlace({ main, person, which: null })} />
      </Panel>
      {person !== null && (
        <Panel shown={which === null} key={person}>
          <PersonPart
            principal={person}
            denied={changed.get(person) ?? known?.denied ?? false}
            removed={removed}
            onOpen={id => open({ principal: person, id, found: null })}
            onBack={() => setPlace({ main, person: null, which: null })}
            onDenied={denied => deny(person, denied)}
          />
        </Panel>
      )}
      <Panel shown={main === "search" && which === null}>
        <SearchPart people={everybody.value ?? []} removed={removed} onOpen={open} />
      </Panel>
      {which !== null && (
        <Panel shown key={`${which.id} ${which.found ?? ""}`}>
          <ViewPart
            which={which}
            onBack={() => open(null)}
            onRemoved={() => {
              setRemoved(new Set([...removed, which.id]));
              open(null);
            }}
          />
        </Panel>
      )}
      {main === "log" && (
        <Panel shown>
          <LogPart />
        </Panel>
      )}
      <p role="status">{removed.size > 0 && which === null ? words.admin.view.removed : ""}</p>
    </>
  );
}

function PartSwitch({ main, onMain }: { main: Main; onMain: (main: Main) => void }) {
  const { words } = useSpeech();
  return (
    <div className="switch parts" role="group" aria-label={words.admin.parts.label}>
      {PARTS.map(part => (
        <button type="button" key={part} aria-pressed={part === main} onClick={() => onMain(part)}>
          {words.admin.parts[part]}
        </button>
      ))}
    </div>
  );
}
