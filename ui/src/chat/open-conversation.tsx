/** The conversation that is open: its head, its messages, where the answer stands, the field to write in. */
import { type Dispatch, useEffect, useState } from "react";

import type { Conversation } from "../api/conversations";
import { ProblemNotice } from "../parts/notice";
import { useSurroundings } from "../shell/surroundings";
import { useSpeech } from "../words/speak";
import { Composer } from "./composer";
import { draftOf, noteDraft } from "./drafts";
import { Head } from "./head";
import { Messages } from "./messages";
import { TalkStatus } from "./talk-status";
import type { Talk } from "./talk";
import { draftKey, useTalk } from "./talks";
import { type Transcript, isBusy, lastAnswer } from "./transcript";
import { useShortcuts } from "./use-shortcuts";

interface Props {
  readonly id: string;
  readonly onChanged: Dispatch<Conversation>;
  readonly onGone: (id: string) => void;
}

export function OpenConversation({ id, onChanged, onGone }: Props) {
  const { talk, transcript } = useTalk(id);
  const { conversation, problem } = transcript;
  const { person } = useSurroundings();
  const key = draftKey(person.owner, id);
  const [editing, setEditing] = useState<string | null>(null);
  useEffect(() => {
    if (conversation !== null) onChanged(conversation);
  }, [conversation, onChanged]);
  useKeys(talk, transcript);
  const say = (content: string, replaces: string | null) => {
    if (replaces === null) noteDraft(key, "");
    setEditing(null);
    talk.send({ kind: "say", content, replaces });
  };
  if (conversation === null)
    return (
      <div className="beginning">
        {problem !== null && <ProblemNotice problem={problem} onRetry={talk.open} />}
      </div>
    );
  const busy = isBusy(transcript);
  const lastSaid = transcript.messages.findLast(({ role }) => role === "user");
  return (
    <>
      <Head talk={talk} conversation={conversation} busy={busy} onGone={onGone} />
      <Messages talk={talk} transcript={transcript} editing={editing} onEdit={setEditing} onSay={say} />
      <TalkStatus
        transcript={transcript}
        onRetry={() => retry(talk, transcript, key)}
        onForgive={talk.forgive}
      />
      {conversation.closed ? (
        <Closed talk={talk} />
      ) : (
        <Composer
          draftKey={key}
          busy={busy}
          stopping={transcript.stopping}
          ready
          onSay={content => say(content, null)}
          onStop={talk.stop}
          onLast={() => setEditing(busy ? null : (lastSaid?.id ?? null))}
        />
      )}
    </>
  );
}

function useKeys(talk: Talk, transcript: Transcript): void {
  useShortcuts({
    stop: talk.stop,
    copy: () => {
      const content = lastAnswer(transcript)?.content;
      if (content !== undefined) void navigator.clipboard.writeText(content).catch(() => undefined);
    },
  });
}

/** Once more: what the gateway did not take, else the answer that broke off. */
function retry(talk: Talk, { refused }: Transcript, key: string): void {
  if (refused?.kind === "say" && draftOf(key) === refused.content) noteDraft(key, "");
  talk.send(refused ?? { kind: "again" });
}

function Closed({ talk }: { talk: Talk }) {
  const { words } = useSpeech();
  return (
    <div className="notice">
      <p>{words.chat.isClosed}</p>
      <button type="button" onClick={() => talk.change({ closed: false })}>
        {words.chat.open}
      </button>
    </div>
  );
}
