/** One model of the catalogue. What may not fit is asked about before it is added. */
import { useState } from "react";

import type { Offer } from "../api/catalogue";
import { Confirm } from "../parts/dialog";
import { ProblemNotice } from "../parts/notice";
import { useSpeech } from "../words/speak";
import { shareOf, usePull } from "./use-pull";

export function OfferCard({ offer, onPulled }: { offer: Offer; onPulled: () => void }) {
  const { words } = useSpeech();
  return (
    <li className="offer">
      <div className="row spread">
        <h3>{offer.title}</h3>
        {offer.here && <strong className="chip awake">{words.offers.here}</strong>}
      </div>
      <code>{offer.name}</code>
      {offer.note !== "" && (
        <p lang="en" dir="auto">
          {offer.note}
        </p>
      )}
      <Facts offer={offer} />
      <Fits offer={offer} />
      {!offer.here && <Add offer={offer} onPulled={onPulled} />}
    </li>
  );
}

function Facts({ offer }: { offer: Offer }) {
  const { words, count, bytes, languageName } = useSpeech();
  const said = words.offers;
  const names = offer.languages?.map(code => languageName(code)).join(", ");
  const facts = [
    [said.languages, names ?? said.many],
    [said.context, said.tokens(count(offer.context))],
    [said.parameters, offer.parameters],
    [said.download, bytes(offer.download)],
    [said.memory, bytes(offer.memory)],
    [said.instance, offer.instance],
    [said.licence, offer.licence],
  ] as const;
  return (
    <>
      <dl className="facts">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {offer.source !== "" && (
        <p>
          <a
            href={offer.source}
            target="_blank"
            rel="noopener noreferrer"
            aria-label={said.sourceOf(offer.title)}
          >
            {said.source}
          </a>
        </p>
      )}
    </>
  );
}

/** In words, not by a colour alone; the gateway's own sentence says what is missing. */
function Fits({ offer: { fits } }: { offer: Offer }) {
  const { words } = useSpeech();
  const doubtful = fits.memory !== "yes" || fits.disk !== "yes";
  return (
    <ul className="fits">
      <li className={fits.memory}>{words.offers.memoryFits[fits.memory]}</li>
      <li className={fits.disk}>{words.offers.diskFits[fits.disk]}</li>
      {doubtful && fits.sentence !== "" && (
        <li lang="en" className="hint">
          {fits.sentence}
        </li>
      )}
    </ul>
  );
}

function Add({ offer, onPulled }: { offer: Offer; onPulled: () => void }) {
  const { words } = useSpeech();
  const { busy, problem, forgive, line, start } = usePull();
  const [asking, setAsking] = useState(false);
  const { name, title, fits } = offer;
  const sure = fits.memory !== "no" && fits.disk !== "no";
  const add = () => start(name, onPulled);
  const share = shareOf(line);
  return (
    <>
      <div className="row">
        <button
          type="button"
          disabled={busy}
          aria-label={words.offers.addOf(title)}
          onClick={sure ? add : () => setAsking(true)}
        >
          {words.offers.add}
        </button>
        {busy && (
          <progress aria-label={words.offers.adding(title)} {...(share === null ? {} : { value: share })} />
        )}
        <span role="status">{busy ? words.models.pulling(line?.status ?? "…") : ""}</span>
      </div>
      {problem !== null && <ProblemNotice problem={problem} onRetry={add} onClose={forgive} />}
      {asking && (
        <Confirm
          title={words.offers.addOf(title)}
          question={words.offers.reallyAdd(
            title,
            words.offers.memoryFits[fits.memory],
            words.offers.diskFits[fits.disk],
          )}
          onYes={add}
          onClose={() => setAsking(false)}
        />
      )}
    </>
  );
}
