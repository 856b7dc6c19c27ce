/** A conversation that does not exist yet: which model, what it is told, and the first message, which makes it. */
import { type Dispatch, useState } from "react";

import { type Conversation, create } from "../api/conversations";
import { useDeed } from "../parts/load";
import { ProblemNotice } from "../parts/notice";
import { addressOf } from "../shell/rooms";
import { keep } from "../shell/preferences";
import { useSurroundings } from "../shell/surroundings";
import { useSpeech } from "../words/speak";
import { Composer } from "./composer";
import { noteDraft } from "./drafts";
import { ModelPicker, useModels } from "./model-picker";
import { draftKey, talkOf } from "./talks";

export function Beginning({ onMade }: { onMade: Dispatch<Conversation> }) {
  const { words } = useSpeech();
  const { door, person } = useSurroundings();
  const models = useModels();
  const [system, setSystem] = useState("");
  const { busy, problem, forgive, act } = useDeed();
  const key = draftKey(person.owner, "");
  const begin = (content: string) =>
    act(async () => {
      const made = await create(door, models.chosen, system.trim());
      keep("model", models.chosen);
      const talk = talkOf(door, person.owner, made.id);
      talk.begin(made);
      talk.send({ kind: "say", content, replaces: null });
      noteDraft(key, "");
      onMade(made);
      location.hash = addressOf("chat", made.id);
    });
  return (
    <>
      <div className="beginning">
        <h2>{words.chat.begin}</h2>
        <ModelPicker models={models} />
        <details>
          <summary>{words.chat.instructions}</summary>
          <label className="hint">
            {words.chat.instructionsAbout}
            <textarea rows={4} dir="auto" value={system} onChange={event => setSystem(event.target.value)} />
          </label>
        </details>
        <AsleepHint />
        {problem !== null && <ProblemNotice problem={problem} onClose={forgive} />}
      </div>
      <Composer draftKey={key} busy={false} ready={models.chosen !== "" && !busy} onSay={begin} />
    </>
  );
}

/** Before anybody asks: that the first answer will take a while. */
function AsleepHint() {
  const { words } = useSpeech();
  const { fleet } = useSurroundings();
  if (fleet?.phase !== "asleep") return null;
  return <p className="hint">{words.chat.asleepHint(fleet.expectedWait)}</p>;
}
