/** The chat's smaller rules: the list, the choice of a model, keys, drafts, addresses, and Markdown taken apart. */
import { describe, expect, it } from "vitest";

import { chatModels, conversationOf } from "../../src/api/conversations";
import { draftOf, dropDrafts, followDrafts, noteDraft } from "../../src/chat/drafts";
import { type Listing, after, nothing } from "../../src/chat/listing";
import { blocksOf } from "../../src/chat/markdown";
import { chosenOf } from "../../src/chat/model-picker";
import { decoded, safeAddress } from "../../src/chat/plain";
import { deedOf, sends } from "../../src/chat/use-shortcuts";

const row = (id: string, updated: number) => conversationOf({ id, updated });
const ids = ({ rows }: Listing) => rows.map(({ id }) => id).join("");

describe("the list", () => {
  const first = after(nothing, {
    kind: "first",
    page: { conversations: [row("a", 9), row("b", 8)], next: "8" },
  });
  const both = after(first, {
    kind: "more",
    page: { conversations: [row("c", 7), row("d", 6)], next: null },
  });

  it("joins pages, newest first", () => {
    expect([ids(both), both.next, both.there, both.loading]).toEqual(["abcd", null, true, false]);
  });

  it("puts what changes in its place", () => {
    const changed = after(both, { kind: "changed", conversation: row("c", 10), only: false });
    expect(ids(changed)).toBe("cabd");
    expect(ids(after(both, { kind: "changed", conversation: row("x", 10), only: false }))).toBe("xabcd");
    expect(ids(after(both, { kind: "changed", conversation: row("x", 10), only: true }))).toBe("abcd");
    expect(ids(after(both, { kind: "gone", id: "b" }))).toBe("acd");
  });

  it("drops what a new first page should hold and does not, and keeps what lies behind it", () => {
    const page = { conversations: [row("n", 11), row("b", 8)], next: "8" };
    const again = after(both, { kind: "first", page });
    expect([ids(again), again.next]).toEqual(["nbcd", null]);
  });

  it("begins anew where something may lie between", () => {
    const page = { conversations: [row("n", 99), row("o", 98)], next: "98" };
    const again = after(both, { kind: "first", page });
    expect([ids(again), again.next]).toEqual(["no", "98"]);
    expect(ids(after(both, { kind: "first", page: { conversations: [], next: null } }))).toBe("");
  });
});

describe("the models to talk to", () => {
  const door = { origin: "https://llm.example", token: () => "t", expired: () => undefined };
  const answering = (answers: Record<string, unknown>) => (input: string | URL | Request) => {
    const said = answers[new URL(input as string).pathname];
    return Promise.resolve(
      said === undefined ? new Response("{}", { status: 503 }) : new Response(JSON.stringify(said)),
    );
  };
  const tags = {
    models: [
      { name: "b:1b" },
      { name: "nomic:latest", details: { family: "nomic-bert" } },
      { name: "c:1b", capabilities: ["completion", "tools"] },
      { name: "embed:1b", capabilities: ["embedding"] },
      { name: "a:1b" },
    ],
  };

  it("are those that chat, those in memory first", async () => {
    const before = globalThis.fetch;
    globalThis.fetch = answering({ "/api/tags": tags, "/api/ps": { models: [{ name: "c:1b" }] } });
    expect((await chatModels(door)).map(({ name, inMemory }) => `${name} ${inMemory}`)).toEqual([
      "c:1b true",
      "a:1b false",
      "b:1b false",
    ]);
    globalThis.fetch = answering({ "/api/tags": tags });
    expect((await chatModels(door)).map(({ name }) => name)).toEqual(["a:1b", "b:1b", "c:1b"]);
    globalThis.fetch = before;
  });

  it("begin with that of last time, if it is there or nobody knows", () => {
    const list = [
      { name: "x", inMemory: true },
      { name: "y", inMemory: false },
    ];
    expect([
      chosenOf(list, "y"),
      chosenOf(list, "gone"),
      chosenOf(list, null),
      chosenOf([], "y"),
      chosenOf(null, null),
    ]).toEqual(["y", "x", "x", "y", ""]);
  });
});

describe("keys", () => {
  const key = (name: string, code = "", ...held: string[]) => ({
    key: name,
    code,
    ctrlKey: held.includes("ctrl"),
    metaKey: false,
    altKey: held.includes("alt"),
    shiftKey: held.includes("shift"),
  });

  it("stand for deeds, and leave typing alone", () => {
    expect(deedOf(key("Ñ", "KeyN", "alt", "shift"), true)).toBe("new");
    expect(deedOf(key("N", "KeyN", "alt", "shift", "ctrl"), true)).toBeNull();
    expect(deedOf(key("?"), true)).toBeNull();
    expect(deedOf(key("?"), false)).toBe("help");
    expect(deedOf(key("Escape"), true)).toBe("stop");
  });

  it("send on Enter, but not while an input method composes", () => {
    const enter = { key: "Enter", shiftKey: false, isComposing: false, keyCode: 13 };
    const inSafari = { ...enter, keyCode: 229 };
    expect(sends(enter)).toBe(true);
    expect(sends({ ...enter, shiftKey: true })).toBe(false);
    expect(sends({ ...enter, isComposing: true })).toBe(false);
    expect(sends(inSafari)).toBe(false);
    expect(sends({ ...enter, key: "a" })).toBe(false);
  });
});

describe("drafts", () => {
  it("are kept by conversation, told to who follows, and gone on sign-out", () => {
    let told = 0;
    const leave = followDrafts(() => (told += 1));
    noteDraft("me 1", "one");
    noteDraft("me 2", "two");
    noteDraft("me 1", "");
    expect([draftOf("me 1"), draftOf("me 2"), told]).toEqual(["", "two", 3]);
    dropDrafts();
    expect(draftOf("me 2")).toBe("");
    leave();
  });
});

describe("Markdown", () => {
  it("resolves references to characters, and leaves alone what is none", () => {
    expect(decoded("a &amp; b &lt;i&gt; &#65;&#x1F642; &nosuch; & &#xD800; &#0;")).toBe(
      "a & b <i> A🙂 &nosuch; & \ufffd \ufffd",
    );
    expect(decoded("&constructor;")).toBe("&constructor;");
  });

  it("lets links lead to the web and to mail only", () => {
    expect(safeAddress("https://example.com/a?b=1")).toBe("https://example.com/a?b=1");
    expect(safeAddress("mailto:a@example.com")).toBe("mailto:a@example.com");
    for (const bad of [
      "javascript:alert(1)",
      " JaVaScript:alert(1)",
      "data:text/html,x",
      "vbscript:x",
      "/path",
      "//host",
      "file:///etc",
      "",
    ])
      expect(safeAddress(bad), bad).toBeNull();
  });

  it("loses nothing of a text, and takes none apart for long", () => {
    const odd = [
      "> ".repeat(3000),
      "- ".repeat(3000),
      "[".repeat(20_000),
      "*a ".repeat(8000),
      "`".repeat(9001),
    ];
    odd.push(
      "|a".repeat(5000),
      "<".repeat(20_000),
      "_a*b`".repeat(3000),
      "![](".repeat(4000),
      "1. a\n".repeat(3000),
    );
    for (const text of odd) {
      const started = performance.now();
      const blocks = blocksOf(text);
      if (blocks !== null)
        expect(
          blocks
            .map(({ raw }) => raw)
            .join("")
            .trim(),
          text.slice(0, 9),
        ).toBe(text.trim());
      // Seconds would be a page that hangs; this is ten times what it takes on a slow machine.
      expect(performance.now() - started, text.slice(0, 9)).toBeLessThan(5000);
    }
    expect(blocksOf("x".repeat(200_001))).toBeNull();
  });
});
