/** Models that are known to run well here: what they can, whether they fit, and one click to have them. */
import { useState } from "react";

import { type Catalogue, type NodeFacts, type Offer, catalogue } from "../api/catalogue";
import { useLoad } from "../parts/load";
import { ProblemNotice } from "../parts/notice";
import { useSurroundings } from "../shell/surroundings";
import { useSpeech } from "../words/speak";
import { OfferCard } from "./offer";

/** Milliseconds between two looks: the disk fills while models come. */
const EVERY = 60_000;

export function CatalogueCard({ onPulled }: { onPulled: () => void }) {
  const { words } = useSpeech();
  const { door } = useSurroundings();
  const { value, problem, reload } = useLoad("catalogue", signal => catalogue(door, signal), EVERY);
  return (
    <section className="card">
      <h2>{words.offers.title}</h2>
      {problem !== null && <ProblemNotice problem={problem} onRetry={reload} />}
      {value !== null && (
        <Offers
          value={value}
          onPulled={() => {
            reload();
            onPulled();
          }}
        />
      )}
    </section>
  );
}

const fitting = ({ fits }: Offer) => fits.memory !== "no" && fits.disk !== "no";

function Offers({ value: { offers, node }, onPulled }: { value: Catalogue; onPulled: () => void }) {
  const { words, languageName } = useSpeech();
  const [language, setLanguage] = useState("");
  const [only, setOnly] = useState(false);
  const [added, setAdded] = useState("");
  const codes = [...new Set(offers.flatMap(({ languages }) => languages ?? []))];
  const sorted = codes
    .map(code => [code, languageName(code)] as const)
    .sort((a, b) => a[1].localeCompare(b[1]));
  // A model of many languages is shown for each: it may well speak it.
  const wanted = offers.filter(
    offer => (!only || fitting(offer)) && (language === "" || (offer.languages?.includes(language) ?? true)),
  );
  return (
    <>
      <Reckoned node={node} />
      <div className="row">
        <label>
          {words.offers.language}
          <select value={language} onChange={event => setLanguage(event.target.value)}>
            <option value="">{words.offers.any}</option>
            {sorted.map(([code, name]) => (
              <option key={code} value={code}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <label className="check">
          <input type="checkbox" checked={only} onChange={event => setOnly(event.target.checked)} />
          {words.offers.onlyFitting}
        </label>
        <span role="status" className="hint">
          {wanted.length === 0 ? words.offers.none : words.offers.count(wanted.length)}
        </span>
      </div>
      <ul className="offers">
        {wanted.map(offer => (
          <OfferCard
            key={offer.name}
            offer={offer}
            onPulled={() => {
              setAdded(offer.title);
              onPulled();
            }}
          />
        ))}
      </ul>
      <p role="status">{added === "" ? "" : words.offers.added(added)}</p>
    </>
  );
}

function Reckoned({ node }: { node: NodeFacts }) {
  const { words, bytes, moment } = useSpeech();
  if (node.gpuMemory === null && node.diskFree === null)
    return <p className="hint">{words.offers.unknown}</p>;
  const amount = (value: number | null) => (value === null ? words.offers.notKnown : bytes(value));
  return (
    <p className="hint">
      {words.offers.node(node.instance ?? words.offers.aNode, amount(node.gpuMemory), amount(node.diskFree))}{" "}
      {node.asOf !== null && words.offers.asOf(moment(node.asOf))}
    </p>
  );
}
