/** Codes that link somebody's Telegram account to a person here. Each is shown once. */
import { type SubmitEvent, useState } from "react";

import { type LinkCode, makeLinkCode } from "../api/moderation";
import { CopyButton } from "../parts/copy";
import { Dialog } from "../parts/dialog";
import { useDeed, useNow } from "../parts/load";
import { ProblemNotice } from "../parts/notice";
import { useSurroundings } from "../shell/surroundings";
import { useSpeech } from "../words/speak";

/** For anybody by name: who has not used the fleet yet is in no list. */
export function Telegram({ onLink }: { onLink: (principal: string) => void }) {
  const { words } = useSpeech();
  const [who, setWho] = useState("");
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    onLink(who.trim());
  };
  return (
    <section className="card">
      <h2>{words.links.title}</h2>
      <p className="hint">{words.links.about}</p>
      <form className="row" onSubmit={submit}>
        <label>
          {words.links.who}
          <input
            required
            pattern=".*\S.*"
            value={who}
            placeholder="issuer#subject, key#owner"
            maxLength={500}
            spellCheck={false}
            onChange={event => setWho(event.target.value)}
          />
        </label>
        <button>{words.links.button}</button>
      </form>
    </section>
  );
}

export function LinkDialog({ principal, onClose }: { principal: string; onClose: () => void }) {
  const { words } = useSpeech();
  const { door } = useSurroundings();
  const { busy, problem, forgive, act } = useDeed();
  const [made, setMade] = useState<LinkCode | null>(null);
  const make = () => act(async () => setMade(await makeLinkCode(door, principal)));
  return (
    <Dialog title={words.links.dialog(principal)} onClose={onClose}>
      <p>{words.links.warn}</p>
      {made === null ? (
        <div className="row">
          <button type="button" className="primary" disabled={busy} onClick={make}>
            {words.links.make}
          </button>
        </div>
      ) : (
        <Shown made={made} />
      )}
      {problem !== null && <ProblemNotice problem={problem} onClose={forgive} />}
      <p className="hint">{words.links.end}</p>
    </Dialog>
  );
}

function Shown({ made: { code, expires } }: { made: LinkCode }) {
  const { words, moment } = useSpeech();
  const over = useNow(true) >= expires * 1000;
  if (over) return <p role="alert">{words.links.over}</p>;
  return (
    <>
      <p role="status">
        {words.links.shownOnce} {words.links.until(moment(expires))}
      </p>
      <p className="row">
        <code className="secret">{code}</code>
        <CopyButton text={code}>{words.links.copyCode}</CopyButton>
      </p>
      <p>{words.links.tell}</p>
      <p className="secret">{words.links.told(code)}</p>
      <p className="row">
        <CopyButton text={words.links.told(code)}>{words.links.copyText}</CopyButton>
      </p>
    </>
  );
}
