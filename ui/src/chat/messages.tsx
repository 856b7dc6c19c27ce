/**
 * The messages: the newest in sight and followed as they grow, unless one reads further up; older ones come as one scrolls,
 * and what one reads stays where it is.
 */
import { type RefObject, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";

import { Icon } from "../parts/icon";
import { useSpeech } from "../words/speak";
import { Follower } from "./follow";
import { type MessageDeeds, MessageItem } from "./message";
import type { Talk } from "./talk";
import { type Transcript, isBusy, isUnanswered } from "./transcript";
import { useSight } from "./use-sight";

interface Props {
  readonly talk: Talk;
  readonly transcript: Transcript;
  /** The message one is changing. */
  readonly editing: string | null;
  readonly onEdit: (id: string | null) => void;
  readonly onSay: (content: string, replaces: string) => void;
}

export function Messages({ talk, transcript, editing, onEdit, onSay }: Props) {
  const { words } = useSpeech();
  const { messages, earlier, loading, conversation } = transcript;
  const scroller = useRef<HTMLDivElement>(null);
  const { away, toEnd } = useFollow(scroller, transcript);
  const deeds = useSteady({
    edit: onEdit,
    say: onSay,
    again: () => talk.send({ kind: "again" }),
  });
  const writable = !isBusy(transcript) && conversation?.closed === false;
  const last = messages.at(-1);
  return (
    <div className="transcript-frame">
      <div ref={scroller} className="transcript" role="region" aria-label={words.chat.messages} tabIndex={0}>
        {earlier !== null && <Earlier loading={loading === "earlier"} onMore={talk.earlier} />}
        <ol>
          {messages.map(message => (
            <MessageItem
              key={message.id}
              message={message}
              model={conversation?.model ?? ""}
              last={message === last}
              editing={message.id === editing && writable}
              writable={writable}
              deeds={deeds}
            />
          ))}
        </ol>
        {isUnanswered(transcript) && writable && transcript.problem === null && (
          <button type="button" onClick={deeds.again}>
            <Icon name="again" />
            {words.chat.answer}
          </button>
        )}
      </div>
      {away && (
        <button
          type="button"
          className="to-end icon"
          aria-label={words.chat.newest}
          title={words.chat.newest}
          onClick={toEnd}
        >
          <Icon name="down" />
        </button>
      )}
    </div>
  );
}

function Earlier({ loading, onMore }: { loading: boolean; onMore: () => void }) {
  const { words } = useSpeech();
  const place = useSight<HTMLDivElement>(onMore, !loading);
  return (
    <div ref={place} className="earlier">
      <button type="button" className="quiet" aria-disabled={loading} onClick={onMore}>
        {loading ? words.chat.loading : words.chat.earlier}
      </button>
    </div>
  );
}

/** Deeds that stay the same object, so that a thousand messages need not be drawn anew for each token. */
function useSteady(deeds: MessageDeeds): MessageDeeds {
  const latest = useRef(deeds);
  useEffect(() => {
    latest.current = deeds;
  });
  return useMemo(
    () => ({
      edit: id => latest.current.edit(id),
      say: (content, replaces) => latest.current.say(content, replaces),
      again: () => latest.current.again(),
    }),
    [],
  );
}

/** Where it is scrolled to. */
function useFollow(scroller: RefObject<HTMLDivElement | null>, { phase, messages }: Transcript) {
  const [follower] = useState(() => new Follower());
  const [away, setAway] = useState(false);
  const first = messages[0]?.id ?? "";
  useLayoutEffect(() => {
    const element = scroller.current;
    return element === null ? undefined : follower.watch(element, setAway);
  }, [scroller, follower]);
  useLayoutEffect(() => follower.drawn(first), [follower, messages, first]);
  useLayoutEffect(() => {
    // Whoever sends wants to see it.
    if (phase === "sending") follower.toEnd();
  }, [phase, follower]);
  return { away, toEnd: () => follower.toEnd() };
}
