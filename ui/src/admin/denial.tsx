/** Shuts a person out, for a reason, and lets them in again. */
import { type SubmitEvent, useState } from "react";

import { letIn, shutOut } from "../api/moderation";
import { Dialog } from "../parts/dialog";
import { useDeed } from "../parts/load";
import { ProblemNotice } from "../parts/notice";
import { useSurroundings } from "../shell/surroundings";
import { useSpeech } from "../words/speak";

interface Props {
  readonly principal: string;
  readonly denied: boolean;
  readonly onChanged: (denied: boolean) => void;
}

export function Denial({ principal, denied, onChanged }: Props) {
  const { words } = useSpeech();
  const { door } = useSurroundings();
  const { busy, problem, forgive, act } = useDeed();
  const [asking, setAsking] = useState(false);
  const [told, setTold] = useState("");
  const change = (deed: () => Promise<unknown>, to: boolean, sentence: string) => {
    setTold("");
    act(deed, () => {
      setTold(sentence);
      onChanged(to);
    });
  };
  const allow = () => change(() => letIn(door, principal), false, words.admin.person.allowed(principal));
  const deny = (reason: string) =>
    change(() => shutOut(door, principal, reason), true, words.admin.person.denied(principal));
  return (
    <>
      <div className="row">
        <button
          type="button"
          className={denied ? "" : "danger"}
          disabled={busy}
          onClick={denied ? allow : () => setAsking(true)}
        >
          {denied ? words.admin.person.allow : words.admin.person.deny}
        </button>
        <span role="status">{told}</span>
      </div>
      {problem !== null && <ProblemNotice problem={problem} onClose={forgive} />}
      {asking && <Reason principal={principal} onYes={deny} onClose={() => setAsking(false)} />}
    </>
  );
}

function Reason(props: { principal: string; onYes: (reason: string) => void; onClose: () => void }) {
  const { words } = useSpeech();
  const [reason, setReason] = useState("");
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    props.onYes(reason.trim());
    props.onClose();
  };
  return (
    <Dialog title={words.admin.person.deny} onClose={props.onClose}>
      <form className="stack" onSubmit={submit}>
        <p className="name">
          <strong>{props.principal}</strong>
        </p>
        <p>{words.admin.person.reallyDeny}</p>
        <label>
          {words.admin.person.why}
          <input
            required
            pattern=".*\S.*"
            value={reason}
            maxLength={200}
            onChange={event => setReason(event.target.value)}
          />
        </label>
        <div className="row end">
          <button type="button" onClick={props.onClose}>
            {words.dialog.cancel}
          </button>
          <button className="danger">{words.admin.person.yes}</button>
        </div>
      </form>
    </Dialog>
  );
}
