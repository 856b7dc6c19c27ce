/** What the stand-in keeps of conversations: everybody's, in memory, and made in any number for a test. */
import { randomUUID } from "node:crypto";

export interface Said {
  readonly id: string;
  readonly role: "user" | "assistant";
  content: string;
  state: "whole" | "writing" | "stopped" | "broken";
  readonly at: number;
  prompt_tokens?: number;
  output_tokens?: number;
  first_token_seconds?: number;
  seconds?: number;
  turns_cut?: number;
}

export interface Kept {
  readonly principal: string;
  readonly id: string;
  title: string;
  readonly model: string;
  system: string;
  options: Record<string, unknown>;
  readonly created: number;
  updated: number;
  closed: boolean;
  archived: boolean;
  said: Said[];
  /** Somebody writes; `stop` ends it. */
  pen: { stopped: boolean } | null;
}

export const now = () => Math.floor(Date.now() / 1000);

export class Talks {
  all: Kept[] = [];
  /** Milliseconds from the first answer to the title that the model made. */
  titled = 100;
  /** Bodies of `POST …/messages`, newest last. */
  readonly asked: Record<string, unknown>[] = [];
  private last = 0;

  /** Ids grow, and with them the order of messages. */
  nextId(): string {
    this.last += 1;
    return String(this.last).padStart(16, "0");
  }

  clear(): void {
    this.all = [];
    this.asked.length = 0;
    this.titled = 100;
  }

  find(principal: string, id: string): Kept | undefined {
    return this.all.find(kept => kept.principal === principal && kept.id === id);
  }

  make(principal: string, fields: Partial<Omit<Kept, "principal">>): Kept {
    const made: Kept = {
      principal,
      id: randomUUID(),
      title: "",
      model: "gemma3n:e4b",
      system: "",
      options: {},
      created: now(),
      updated: now(),
      closed: false,
      archived: false,
      said: [],
      pen: null,
      ...fields,
    };
    this.all.push(made);
    return made;
  }

  /** Many of them, the first the newest; the first has so many messages, the others two each. */
  preset(principal: string, conversations: number, messages: number): void {
    const topics = ["Pump manual", "Minutes of the meeting", "SQL for the report", "Reply to a customer"];
    for (let number = 1; number <= conversations; number += 1) {
      const updated = now() - number * 3600;
      const count = number === 1 ? messages : 2;
      this.make(principal, {
        title: `${topics[number % topics.length] ?? ""} ${number}`,
        created: updated - 600,
        updated,
        archived: count > 100,
        said: Array.from({ length: count }, (_, index) => this.sentence(index, updated)),
      });
    }
  }

  /** Questions and answers in turn, of differing heights. */
  private sentence(index: number, at: number): Said {
    const id = this.nextId();
    if (index % 2 === 0)
      return { id, role: "user", content: `Question ${index / 2 + 1}, please.`, state: "whole", at };
    const number = (index + 1) / 2;
    const more =
      number % 3 === 0 ? "\n\n```ts\nconst answer = 42;\n```" : "\n\n- one\n- two\n".repeat(number % 4);
    const content = `Answer **${number}** with some words to fill a line or two of the page, so that it has a height.${more}`;
    return {
      id,
      role: "assistant",
      content,
      state: "whole",
      at,
      prompt_tokens: 20 * number,
      output_tokens: 60,
      seconds: 2.4,
    };
  }
}

/** As the API shows it; lists leave out what only a single one has. */
export function shown(kept: Kept, single = true): Record<string, unknown> {
  const { id, title, model, system, options, created, updated, closed, archived, said, pen } = kept;
  const sum = (key: "prompt_tokens" | "output_tokens") =>
    said.reduce((total, one) => total + (one[key] ?? 0), 0);
  return {
    id,
    title,
    model,
    created,
    updated,
    closed,
    archived,
    messages: said.length,
    prompt_tokens: sum("prompt_tokens"),
    output_tokens: sum("output_tokens"),
    ...(single ? { system, options, busy: pen !== null } : {}),
  };
}
