/** The whole page: the language it speaks, how it looks, and the shell in it. */
import { Component, type ReactNode, useEffect, useMemo, useState } from "react";

import type { Config } from "../config";
import type { Keeper } from "../sign-in/session";
import { type Tongue, catalogue, tongues } from "../words/catalogue";
import { SpeechContext, speechFor, useSpeech } from "../words/speak";
import { type Look, keptLook, keptTongue, looks, show } from "./preferences";
import { Shell } from "./shell";

/** Either a page that works, or what is wrong with its configuration. */
export type Setup =
  { readonly config: Config; readonly keeper: Keeper } | { readonly mistakes: readonly string[] };

export function Page({ setup }: { setup: Setup }) {
  const [tongue, setTongue] = useState<Tongue>(keptTongue);
  const [look, setLook] = useState<Look>(keptLook);
  useEffect(() => show(tongue, look), [tongue, look]);
  const speech = useMemo(() => speechFor(tongue), [tongue]);
  const choices = <Choices tongue={tongue} onTongue={setTongue} look={look} onLook={setLook} />;
  return (
    <SpeechContext value={speech}>
      <Guard>
        {"mistakes" in setup ? (
          <Misconfigured mistakes={setup.mistakes} />
        ) : (
          <Shell {...setup} choices={choices} />
        )}
      </Guard>
    </SpeechContext>
  );
}

function Choices(props: {
  tongue: Tongue;
  onTongue: (tongue: Tongue) => void;
  look: Look;
  onLook: (look: Look) => void;
}) {
  const { words } = useSpeech();
  return (
    <>
      <label>
        {words.account.languageOfPage}
        <select
          value={props.tongue}
          onChange={event => props.onTongue(tongues.find(one => one === event.target.value) ?? "en")}
        >
          {tongues.map(tongue => (
            <option key={tongue} value={tongue} lang={tongue}>
              {catalogue[tongue].language}
            </option>
          ))}
        </select>
      </label>
      <label>
        {words.account.appearance}
        <select
          value={props.look}
          onChange={event => props.onLook(looks.find(one => one === event.target.value) ?? "auto")}
        >
          {looks.map(look => (
            <option key={look} value={look}>
              {words.account[look]}
            </option>
          ))}
        </select>
      </label>
    </>
  );
}

function Misconfigured({ mistakes }: { mistakes: readonly string[] }) {
  const { words } = useSpeech();
  return (
    <main className="signed-out">
      <div className="card" role="alert">
        <h1>{words.broken.title}</h1>
        <p>{words.broken.advice}</p>
        <ul lang="en">
          {mistakes.map(mistake => (
            <li key={mistake}>{mistake}</li>
          ))}
        </ul>
      </div>
    </main>
  );
}

/** A bug of ours costs the page its content, never the person an explanation. */
class Guard extends Component<{ children: ReactNode }, { broken: boolean }> {
  override readonly state = { broken: false };

  static getDerivedStateFromError() {
    return { broken: true };
  }

  override render() {
    return this.state.broken ? <Crashed /> : this.props.children;
  }
}

function Crashed() {
  const { words } = useSpeech();
  return (
    <main className="signed-out">
      <div className="card" role="alert">
        <p>{words.broken.crash}</p>
        <button type="button" className="primary" onClick={() => location.reload()}>
          {words.broken.reload}
        </button>
      </div>
    </main>
  );
}
