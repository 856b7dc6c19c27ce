/** The log of every look: the newest first, with the sign that nobody has changed it. */
import { type Entry, type Log, audit } from "../api/moderation";
import { ProblemNotice } from "../parts/notice";
import { usePages } from "../parts/pages";
import { useSurroundings } from "../shell/surroundings";
import { useSpeech } from "../words/speak";

export function LogPart() {
  const { words } = useSpeech();
  const { door } = useSurroundings();
  const { pages, busy, problem, more, retry, restart } = usePages(
    (before: number | null) => audit(door, before),
    page => page.next,
  );
  const entries = pages.flatMap(page => page.entries);
  return (
    <>
      <div className="row spread">
        <h2 tabIndex={-1}>{words.admin.log.title}</h2>
        <button type="button" disabled={busy} onClick={restart}>
          {words.admin.log.again}
        </button>
      </div>
      <p className="hint">{words.admin.log.about}</p>
      {pages.length > 0 && <Sign pages={pages} />}
      {problem !== null && <ProblemNotice problem={problem} onRetry={retry} />}
      {pages.length > 0 && entries.length === 0 && <p className="hint">{words.admin.log.none}</p>}
      {entries.length > 0 && <Table entries={entries} />}
      {more !== null && problem === null && (
        <div className="row">
          <button type="button" onClick={more}>
            {words.admin.log.older}
          </button>
        </div>
      )}
    </>
  );
}

function Sign({ pages }: { pages: readonly Log[] }) {
  const { words } = useSpeech();
  if (pages.every(page => page.intact)) return <p className="intact">{words.admin.log.intact}</p>;
  return (
    <div className="notice problem" role="alert">
      <p>{words.admin.log.broken}</p>
    </div>
  );
}

function Table({ entries }: { entries: readonly Entry[] }) {
  const { words, count, moment } = useSpeech();
  const said = words.admin.log;
  const actions: Readonly<Record<string, string>> = said.actions;
  return (
    <div className="scroll" tabIndex={0} role="group" aria-label={said.title}>
      <table>
        <thead>
          <tr>
            {[said.number, said.at, said.by, said.action, said.whom, said.conversation, said.detail].map(
              head => (
                <th scope="col" key={head}>
                  {head}
                </th>
              ),
            )}
          </tr>
        </thead>
        <tbody>
          {entries.map(entry => (
            <tr key={entry.number}>
              <td>{count(entry.number)}</td>
              <td className="when">{moment(entry.at)}</td>
              <td className="name">{entry.by}</td>
              <td>{actions[entry.action] ?? entry.action}</td>
              <td className="name">{entry.principal}</td>
              <td>{entry.conversation !== "" && <code>{entry.conversation.slice(0, 8)}</code>}</td>
              <td className="name">{entry.detail}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
