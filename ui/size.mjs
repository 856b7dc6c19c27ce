// What the build costs, compressed as a web server does it: a first visit, and each room that is fetched when somebody
// goes there.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, posix } from "node:path";
import { gzipSync } from "node:zlib";

/** What a first visit may cost: a second on a bad hotel line of about 1 Mbit/s. */
const FIRST = 150 * 1024;

/** What a room may cost beside it, with all that it fetches later: half of that. */
const ROOM = 64 * 1024;

const files = readdirSync("dist", { recursive: true })
  .map(String)
  .filter(name => statSync(join("dist", name)).isFile());
const bytes = new Map(
  files.map(name => [name, gzipSync(readFileSync(join("dist", name)), { level: 9 }).length]),
);

/** The scripts that a script needs at once, and those that it fetches when they are wanted. */
function imports(name) {
  const text = readFileSync(join("dist", name), "utf8");
  const at = found => posix.join(posix.dirname(name), found);
  return {
    now: [...text.matchAll(/(?:\bfrom|\bimport)\s*["'](\.\/[^"']+\.js)["']/g)].map(([, found]) => at(found)),
    later: [...text.matchAll(/\bimport\(\s*["'`](\.\/[^"'`]+\.js)["'`]/g)].map(([, found]) => at(found)),
  };
}

/** Everything that a script brings with it: at once, or with what it fetches later too. */
function closure(names, later) {
  const all = new Set();
  const waiting = [...names];
  while (waiting.length > 0) {
    const name = waiting.pop();
    if (all.has(name)) continue;
    all.add(name);
    const found = imports(name);
    waiting.push(...found.now, ...(later ? found.later : []));
  }
  return all;
}

const sum = names => [...names].reduce((total, name) => total + bytes.get(name), 0);
const scripts = files.filter(name => name.endsWith(".js"));
const html = readFileSync("dist/index.html", "utf8");
const started = closure(
  scripts.filter(name => html.includes(`./${name}`)),
  false,
);
// All that is no script is counted too: style, drawings, the page itself.
const first = sum(started) + sum(files.filter(name => !name.endsWith(".js")));
const rooms = [...started].flatMap(name => imports(name).later);
let good = started.size > 0 && first <= FIRST;
const reached = new Set(started);
for (const room of new Set(rooms)) {
  const more = [...closure([room], true)].filter(name => !started.has(name));
  for (const name of more) reached.add(name);
  good &&= sum(more) <= ROOM;
  console.log(`${String(sum(more)).padStart(8)}  ${room}, of ${ROOM} allowed: ${more.length} files`);
}
// A file that nothing leads to would be a cost that nobody counted.
for (const name of scripts.filter(name => !reached.has(name))) {
  good = false;
  console.log(`nothing leads to ${name}`);
}
console.log(
  `${String(sum(files)).padStart(8)}  all rooms together (${(sum(files) / 1024).toFixed(1)} KiB)\n` +
    `${String(first).padStart(8)}  a first visit, of ${FIRST} allowed (${(first / 1024).toFixed(1)} KiB)`,
);
if (!good) process.exit(1);
