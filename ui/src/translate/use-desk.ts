/** What lies on the desk: the draft, the languages it may go between, the glossary that applies, the limits. */
import { useEffect, useState } from "react";

import { type Language, type Term, languages, settings } from "../api/translation";
import type { Limits } from "../config";
import { type Loaded, useLoad } from "../parts/load";
import { useSurroundings } from "../shell/surroundings";
import { useSpeech } from "../words/speak";
import { glossary, keepGlossary } from "./device";
import { type Draft, noteDraft, startingDraft } from "./draft";
import { firstTarget, targetsFor } from "./tongues";

/** What the service takes where it does not say: the endings that the gateway knows. */
const KINDS = [".txt", ".md", ".srt", ".vtt", ".html", ".docx", ".po", ".json"];

export interface Desk {
  readonly draft: Draft;
  readonly change: (part: Partial<Draft>) => void;
  readonly languages: readonly Language[];
  readonly limits: Limits;
  readonly kinds: readonly string[];
  readonly terms: readonly Term[];
  readonly setTerms: (terms: readonly Term[]) => void;
  /** Whether the service could be asked what it can do. */
  readonly service: Loaded<unknown>;
}

export function useDesk(): Desk {
  const { config, door } = useSurroundings();
  const { tongue } = useSpeech();
  const [draft, setDraft] = useState(startingDraft);
  const service = useLoad(door.origin, () => Promise.all([languages(door), settings(door)]));
  const [offered, said] = service.value ?? [[], null];
  const target = firstTarget(targetsFor(offered, draft.source), draft.target, tongue);
  const whole = { ...draft, target: offered.length === 0 ? draft.target : target };
  const { terms, setTerms } = useGlossary(whole.target);
  useEffect(() => noteDraft(whole));
  return {
    draft: whole,
    change: part => setDraft(before => ({ ...before, target: whole.target, ...part })),
    languages: offered,
    limits: {
      ...config.limits,
      characters: said?.characters ?? config.limits.characters,
      fileBytes: said?.fileBytes ?? config.limits.fileBytes,
    },
    kinds: said === null || said.kinds.length === 0 ? KINDS : said.kinds,
    terms,
    setTerms,
    service,
  };
}

function useGlossary(target: string): Pick<Desk, "terms" | "setTerms"> {
  const { owner } = useSurroundings().person;
  const [kept, setKept] = useState<{ target: string; terms: readonly Term[] }>({ target: "", terms: [] });
  useEffect(() => {
    let gone = false;
    // Without a database a glossary lasts as long as the page.
    glossary(owner, target).then(
      terms => {
        if (!gone) setKept({ target, terms });
      },
      () => undefined,
    );
    return () => {
      gone = true;
    };
  }, [owner, target]);
  return {
    terms: kept.target === target ? kept.terms : [],
    setTerms: terms => {
      setKept({ target, terms });
      void keepGlossary(owner, target, terms).catch(() => undefined);
    },
  };
}
