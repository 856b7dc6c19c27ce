/** What somebody sees who is not signed in: one button, and why they are not. */
import type { Note } from "../sign-in/session";
import type { Words } from "../words/catalogue";
import { useSpeech } from "../words/speak";

export function SignedOut({
  busy,
  note,
  onSignIn,
}: {
  busy: boolean;
  note: Note | null;
  onSignIn: () => void;
}) {
  const { words } = useSpeech();
  return (
    <main id="room" className="signed-out" tabIndex={-1}>
      <div className="card">
        <h1>{words.account.welcome}</h1>
        <p>{words.account.why}</p>
        {note !== null && (
          <p className={note.kind === "signedOut" ? "notice" : "notice problem"} role="alert">
            {sentence(note, words)}
          </p>
        )}
        <button type="button" className="primary" disabled={busy} onClick={onSignIn}>
          {busy ? words.account.signingIn : words.account.signIn}
        </button>
      </div>
    </main>
  );
}

function sentence(note: Note, { account }: Words): string {
  return note.kind === "refused" ? account.refused(note.reason) : account[note.kind];
}
