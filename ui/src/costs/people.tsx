/** Our estimate by person and model: who uses what, the most first. */
import { useState } from "react";

import type { Costs, WorkOf } from "../api/costs";
import { save } from "../parts/save";
import { useSpeech } from "../words/speak";
import { peopleCsv } from "./csv";
import { useMoney } from "./money";

/** Lines shown at first. */
const LINES = 50;

export function WorkTable({ costs }: { costs: Costs }) {
  const { words, count } = useSpeech();
  const [all, setAll] = useState(false);
  const sorted = [...costs.estimate.people].sort((a, b) => b.gpu - a.gpu || b.requests - a.requests);
  const download = () =>
    save(new Blob([peopleCsv(costs)], { type: "text/csv;charset=utf-8" }), `costs-${costs.month}-people.csv`);
  return (
    <section className="card">
      <div className="row spread">
        <h2>{words.costs.people}</h2>
        {sorted.length > 0 && (
          <button type="button" onClick={download}>
            {words.costs.csvPeople}
          </button>
        )}
      </div>
      {sorted.length === 0 ? (
        <p className="hint">{words.costs.nobody}</p>
      ) : (
        <Table lines={all ? sorted : sorted.slice(0, LINES)} currency={costs.currency} />
      )}
      {!all && sorted.length > LINES && (
        <div className="row">
          <button type="button" onClick={() => setAll(true)}>
            {words.costs.all(count(sorted.length))}
          </button>
        </div>
      )}
    </section>
  );
}

function Table({ lines, currency }: { lines: readonly WorkOf[]; currency: string }) {
  const { words, count } = useSpeech();
  const { money } = useMoney(currency);
  const said = words.costs;
  const heads = [said.person, said.model, said.requests, said.prompt, said.output, said.gpu, said.amount];
  return (
    <div className="scroll" tabIndex={0} role="group" aria-label={said.people}>
      <table>
        <thead>
          <tr>
            {heads.map(head => (
              <th scope="col" key={head}>
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {lines.map(line => (
            <tr key={`${line.principal} ${line.model ?? ""}`}>
              <th scope="row" className="name">
                {line.principal}
              </th>
              <td>{line.model ?? said.anyModel}</td>
              <td>{count(line.requests)}</td>
              <td>{count(line.prompt)}</td>
              <td>{count(line.output)}</td>
              <td>{words.duration(Math.round(line.gpu))}</td>
              <td>{line.amount === null ? said.noPrice : money(line.amount)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
