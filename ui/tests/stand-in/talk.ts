/** The stand-in's `/conversations`: the routes and events of the contract, with answers that a test can foresee. */
import type { IncomingMessage, ServerResponse } from "node:http";

import { type Kept, type Said, now, shown } from "./talk-store";
import { Stream, woken } from "./translation";
import { bodyOf, pause, sendJson } from "./web";
import type { World } from "./world";

interface Fields {
  readonly model?: string;
  readonly title?: string;
  readonly system?: string;
  readonly closed?: boolean;
  readonly content?: string;
  readonly replaces?: string;
  readonly regenerate?: boolean;
}

export async function conversations(
  request: IncomingMessage,
  response: ServerResponse,
  world: World,
  principal: string,
): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://any");
  const [, , id = "", deed = ""] = pathname.split("/");
  const method = request.method ?? "";
  const body = await bodyOf(request);
  const fields = (body === "" ? {} : JSON.parse(body)) as Fields;
  if (id === "") {
    if (method === "GET") sendJson(response, 200, listed(world, principal, searchParams));
    else create(response, world, principal, fields);
    return;
  }
  if (id === "export") {
    exported(response, world, principal);
    return;
  }
  const kept = world.talks.find(principal, id);
  if (kept === undefined) {
    sendJson(response, 404, { error: "there is no such conversation" });
    return;
  }
  switch (`${method} ${deed}`.trim()) {
    case "GET":
      sendJson(response, 200, viewed(kept, searchParams));
      return;
    case "PATCH":
      change(kept, fields);
      sendJson(response, 200, shown(kept));
      return;
    case "DELETE":
      if (kept.pen !== null) kept.pen.stopped = true;
      world.talks.all = world.talks.all.filter(other => other !== kept);
      response.writeHead(204).end();
      return;
    case "POST stop":
      if (kept.pen !== null) kept.pen.stopped = true;
      sendJson(response, 202, { stopping: kept.pen !== null });
      return;
    case "POST messages":
      world.talks.asked.push({ ...fields });
      return write(response, world, kept, fields);
    default:
      sendJson(response, 405, { error: "there is no such way in here" });
  }
}

function create(response: ServerResponse, world: World, principal: string, fields: Fields): void {
  const { model = "", title = "", system = "" } = fields;
  if (!world.models.some(({ name }) => name === model)) {
    sendJson(response, 404, { error: `model '${model}' not found` });
    return;
  }
  sendJson(response, 201, shown(world.talks.make(principal, { model, title, system })));
}

/** Newest first; the cursor is the place after the last one. */
export function listed(world: World, principal: string, query: URLSearchParams): Record<string, unknown> {
  const search = (query.get("search") ?? "").toLowerCase();
  const limit = Number(query.get("limit") ?? 50);
  const place = (kept: Kept) => `${String(kept.updated).padStart(12, "0")} ${kept.id}`;
  const before = query.get("before") ?? "~";
  const found = world.talks.all
    .filter(kept => kept.principal === principal && kept.title.toLowerCase().includes(search))
    .filter(kept => place(kept) < before)
    .sort((a, b) => (place(a) < place(b) ? 1 : -1));
  const page = found.slice(0, limit);
  const last = page.at(-1);
  return {
    conversations: page.map(kept => shown(kept, false)),
    next: found.length > limit && last !== undefined ? place(last) : null,
  };
}

export function viewed(kept: Kept, query: URLSearchParams): Record<string, unknown> {
  const limit = Number(query.get("limit") ?? 50);
  const before = query.get("before") ?? "~";
  const older = kept.said.filter(({ id }) => id < before);
  const messages = older.slice(-limit);
  return {
    conversation: shown(kept),
    messages,
    earlier: older.length > limit ? (messages[0]?.id ?? null) : null,
  };
}

function change(kept: Kept, { title, system, closed }: Fields): void {
  if (title !== undefined) kept.title = title;
  if (system !== undefined) kept.system = system;
  if (closed !== undefined) {
    kept.closed = closed;
    if (closed) kept.archived = true;
  }
}

function exported(response: ServerResponse, world: World, principal: string): void {
  const mine = world.talks.all.filter(kept => kept.principal === principal);
  sendJson(
    response,
    200,
    {
      exported: now(),
      principal,
      conversations: mine.map(kept => ({ ...shown(kept), transcript: kept.said })),
    },
    { "content-disposition": 'attachment; filename="conversations.json"' },
  );
}

async function write(response: ServerResponse, world: World, kept: Kept, fields: Fields): Promise<void> {
  if (kept.closed) {
    sendJson(response, 409, { error: "this conversation is closed; open it again first" });
    return;
  }
  if (kept.pen !== null) {
    sendJson(response, 409, {
      error: "this conversation is being written to elsewhere; wait for the answer, or stop it",
    });
    return;
  }
  const pen = { stopped: false };
  kept.pen = pen;
  const stream = new Stream(response);
  try {
    const { user, answer, turnsCut } = beginning(world, kept, fields);
    const question = kept.said.findLast(({ role }) => role === "user")?.content ?? "";
    if (kept.title === "") kept.title = question.slice(0, 60);
    stream.event("start", { user, answer: answer.id, turns_cut: turnsCut, model: kept.model });
    await woken(stream, world);
    // The answer goes on; only its reader is gone.
    if (question.includes("lose me")) setTimeout(() => response.destroy(), world.pace * 5);
    await speak(stream, world, pen, answer, answerTo(question, fields));
    finish(kept, answer, pen.stopped);
    kept.pen = null;
    if (question.includes("fault")) {
      answer.state = "broken";
      stream.event("error", {
        error: "the model ended early",
        code: "upstream",
        retryAfter: null,
        message: answer,
      });
    } else stream.event("message", { message: answer, conversation: shown(kept) });
    entitle(world, kept, question);
  } finally {
    kept.pen = null;
    stream.end();
  }
}

/** Both sides as they stand before the first word. */
function beginning(world: World, kept: Kept, { content, replaces, regenerate }: Fields) {
  if (regenerate === true) {
    if (kept.said.at(-1)?.role === "assistant") kept.said.pop();
  } else if (replaces !== undefined) kept.said = kept.said.filter(({ id }) => id < replaces);
  let user: Said | null = null;
  if (regenerate !== true) {
    user = { id: world.talks.nextId(), role: "user", content: content ?? "", state: "whole", at: now() };
    kept.said.push(user);
  }
  const turnsCut = kept.said.at(-1)?.content.includes("far too long") === true ? 3 : 0;
  const answer: Said = {
    id: world.talks.nextId(),
    role: "assistant",
    content: "",
    state: "writing",
    at: now(),
    turns_cut: turnsCut,
  };
  kept.said.push(answer);
  return { user, answer, turnsCut };
}

/** Word by word, whether somebody listens or not; only a stop ends it. */
async function speak(
  stream: Stream,
  world: World,
  pen: { stopped: boolean },
  answer: Said,
  text: string,
): Promise<void> {
  for (const piece of text.match(/\S+\s*|\s+/g) ?? []) {
    await pause(world.pace);
    if (pen.stopped) return;
    answer.content += piece;
    if (!stream.gone) stream.event("delta", { text: piece });
  }
}

function finish(kept: Kept, answer: Said, stopped: boolean): void {
  answer.state = stopped ? "stopped" : "whole";
  answer.prompt_tokens = 40 + 10 * kept.said.length;
  answer.output_tokens = Math.ceil(answer.content.length / 4);
  answer.first_token_seconds = 0.3;
  answer.seconds = 1.7;
  kept.updated = now();
}

/** The model's title comes in the background, some time after the first answer. */
function entitle(world: World, kept: Kept, question: string): void {
  if (kept.said.length > 2) return;
  setTimeout(() => (kept.title = `About: ${question.slice(0, 40)}`), world.talks.titled);
}

const CODE = `Here is how to read a file line by line in Python:

\`\`\`python
with open("notes.txt", encoding="utf-8") as notes:
    for line in notes:
        print(line.rstrip())
\`\`\`

It keeps only one line in memory, so that it works for **large files** too. What to look out for:

1. \`encoding\` should be named; the default differs between systems.
2. The \`with\` block closes the file, also after an error.

| method | memory | speed |
| --- | --- | ---: |
| line by line | little | good |
| \`read()\` | the whole file | best |`;

const EVIL = `<img src=x onerror="alert(1)"> and <script>alert(2)</script>

[a link](javascript:alert(3)) and [another](https://example.com/?a=1&amp;b=2) and ![a picture](https://tracker.example/p.png)

<div onclick="alert(4)">block</div>`;

/** What is answered to which question; anything else comes back in other words. */
export function answerTo(question: string, { regenerate }: Fields): string {
  if (question.includes("Python")) return CODE;
  if (question.includes("evil")) return EVIL;
  if (question.includes("ポンプ"))
    return "はい。ポンプを停止し、圧力計が **0 bar** を示すまで待ってください。";
  if (question.includes("عربي")) return "نعم، يمكنني الإجابة باللغة العربية.";
  if (question.includes("at length"))
    return Array.from({ length: 150 }, (_, index) => `word ${index + 1}`).join(" ");
  return regenerate === true ? `Another answer to: ${question}` : `You said: ${question}`;
}
