// The official Node clients against the gateway: how they see its answers, its refusals and its waits.
// Run by scripts/clients.sh, which says by environment where the gateways are.
import "./answers.js"; // the order of the imports is the order of the promises
import "./management.js";
import "./refusals.js";
import "./waits.js";
import { keepAll } from "./promises.js";

process.exit(await keepAll());
