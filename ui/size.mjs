// How many bytes a first visit costs: every file of the build, compressed as a web server does it.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

/** What a visit may cost: a second on a bad hotel line of about 1 Mbit/s. */
const LIMIT = 150 * 1024;

const files = readdirSync("dist", { recursive: true })
  .map(name => join("dist", String(name)))
  .filter(path => statSync(path).isFile());
let sum = 0;
for (const path of files) {
  const bytes = gzipSync(readFileSync(path), { level: 9 }).length;
  sum += bytes;
  console.log(`${String(bytes).padStart(8)}  ${path}`);
}
console.log(`${String(sum).padStart(8)}  in all, of ${LIMIT} allowed (${(sum / 1024).toFixed(1)} KiB)`);
if (files.length === 0 || sum > LIMIT) process.exit(1);
