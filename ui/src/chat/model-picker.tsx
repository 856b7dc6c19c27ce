/** Which model one talks to: those one may use, those in memory first. */
import { useState } from "react";

import { type ChatModel, chatModels } from "../api/conversations";
import type { Problem } from "../api/problem";
import { useLoad } from "../parts/load";
import { ProblemNotice } from "../parts/notice";
import { kept } from "../shell/preferences";
import { useSurroundings } from "../shell/surroundings";
import { useSpeech } from "../words/speak";

/** Milliseconds between two looks: what is in memory changes with the hour. */
const EVERY = 30_000;
/** The same while none is known: a fleet that has just woken says its models a little later. */
const EVERY_WHILE_NONE = 5_000;

export interface Models {
  /** Null: not yet known. */
  readonly list: readonly ChatModel[] | null;
  /** Empty: none can be. */
  readonly chosen: string;
  readonly choose: (name: string) => void;
  readonly problem: Problem | null;
  readonly reload: () => void;
}

/** The models, and the one chosen: by the person, else that of last time, else the first. */
export function useModels(): Models {
  const { door, fleet } = useSurroundings();
  // A fleet that has just woken has more to say.
  const key = `chat-models ${fleet?.phase ?? ""}`;
  const every = (list: readonly ChatModel[] | null) => (list?.length === 0 ? EVERY_WHILE_NONE : EVERY);
  const { value, problem, reload } = useLoad(key, signal => chatModels(door, signal), every);
  const [picked, choose] = useState<string | null>(null);
  return { list: value, chosen: chosenOf(value, picked ?? kept("model")), choose, problem, reload };
}

/** The wanted one if it is there, or if nobody knows what is there: a sleeping fleet may name none. */
export function chosenOf(list: readonly ChatModel[] | null, wanted: string | null): string {
  if (list === null || list.length === 0) return wanted ?? "";
  return (list.find(({ name }) => name === wanted) ?? list[0])?.name ?? "";
}

export function ModelPicker({ models }: { models: Models }) {
  const { words } = useSpeech();
  const { list, chosen, choose, problem, reload } = models;
  const known = list ?? [];
  const shown =
    known.some(({ name }) => name === chosen) || chosen === "" ? known : [{ name: chosen, inMemory: false }];
  if (list?.length === 0) return <ModelName chosen={chosen} choose={choose} />;
  return (
    <>
      <label className="picker">
        {words.chat.model}
        <select value={chosen} onChange={event => choose(event.target.value)}>
          {shown.map(({ name, inMemory }) => (
            <option key={name} value={name}>
              {inMemory ? words.chat.inMemory(name) : name}
            </option>
          ))}
        </select>
      </label>
      {problem !== null && <ProblemNotice problem={problem} onRetry={reload} />}
    </>
  );
}

/** Which models there are nobody knows before the fleet was awake for the first time: one has to know a name. */
function ModelName({ chosen, choose }: Pick<Models, "chosen" | "choose">) {
  const { words } = useSpeech();
  return (
    <>
      <label className="picker">
        {words.chat.model}
        <input
          spellCheck={false}
          autoCapitalize="off"
          maxLength={200}
          value={chosen}
          onChange={event => choose(event.target.value.trim())}
        />
      </label>
      <p className="hint">{words.chat.noModels}</p>
    </>
  );
}
