/** The smaller rules: configuration, counts, languages, rooms, names of files, keys, charts. */
import { describe, expect, it, vi } from "vitest";

import { download } from "../../src/api/translation";
import { fleetOf } from "../../src/api/fleet";
import { ConfigError, readConfig } from "../../src/config";
import { lineOf, nearest } from "../../src/fleet/chart";
import { addressOf, placeAt, roomAt, roomsOf } from "../../src/shell/rooms";
import { isReadable } from "../../src/sign-in/session";
import { measure } from "../../src/translate/counts";
import { directionOf, firstTarget, targetsFor } from "../../src/translate/tongues";
import { translatedName } from "../../src/translate/use-files";
import { deedOf } from "../../src/translate/use-shortcuts";

describe("the configuration", () => {
  const good = { issuer: "https://id.example/", client_id: "page" };

  it("has defaults for all but issuer and client", () => {
    expect(readConfig(good)).toMatchObject({
      api: "",
      audience: "",
      scopes: "openid profile email",
      limits: { characters: 20_000 },
    });
    expect(readConfig({ ...good, api: "https://llm.example/" }).api).toBe("https://llm.example");
  });

  it("names all mistakes together", () => {
    const bad = {
      issuer: "http://id.example",
      scopes: 3,
      limits: { characters: -1, bytes: 1 },
      admin_groups: "x",
      clientid: "page",
    };
    try {
      readConfig(bad);
      expect.unreachable();
    } catch (error) {
      expect((error as ConfigError).mistakes).toEqual([
        "issuer must be an https address (http only for 127.0.0.1 and localhost)",
        "client_id must be a text",
        "scopes must be a text",
        "admin_groups must be a list of texts",
        "limits.characters must be a whole number above 0",
        "clientid is not known",
        "limits.bytes is not known",
      ]);
    }
  });

  it.each([null, [], "text", 3])("is an object, not %j", raw => {
    expect(() => readConfig(raw)).toThrow(ConfigError);
  });

  it("lets only this machine be reached without TLS", () => {
    expect(readConfig({ ...good, issuer: "http://127.0.0.1:4000" }).issuer).toBe("http://127.0.0.1:4000");
    for (const issuer of [
      "ftp://id.example",
      "javascript:alert(1)",
      "id.example",
      "http://127.0.0.1.evil.example",
    ]) {
      expect(() => readConfig({ ...good, issuer }), issuer).toThrow(ConfigError);
    }
  });
});

describe("counts", () => {
  const limits = { characters: 10, tokens: 5, fileBytes: 1 };

  it("go by characters, not by halves of them", () => {
    expect(measure("a🙂é", limits).characters).toBe(3);
    expect(measure("x".repeat(12), limits)).toMatchObject({ over: 2, tokens: 3, tooManyTokens: false });
  });

  it("take a character of a dense script for a token", () => {
    expect(measure("翻訳する文章", limits)).toMatchObject({ characters: 6, tokens: 6, tooManyTokens: true });
    expect(measure("", limits)).toEqual({ characters: 0, tokens: 0, over: 0, tooManyTokens: false });
  });
});

describe("languages", () => {
  const all = ["en", "de", "ja"].map(code => ({
    code,
    name: code,
    targets: ["en", "de", "ja"].filter(other => other !== code),
  }));

  it("never lead into themselves", () => {
    expect(targetsFor(all, "de").map(({ code }) => code)).toEqual(["en", "ja"]);
    expect(targetsFor(all, "auto")).toHaveLength(3);
  });

  it("begin with the kept target, else the page's own, else English", () => {
    expect([
      firstTarget(all, "de", "ja"),
      firstTarget(all, "xx", "ja"),
      firstTarget(all, "", "xx"),
      firstTarget([], "", "en"),
    ]).toEqual(["de", "ja", "en", ""]);
  });

  it("know their direction", () => {
    expect(["ar", "he-IL", "en", "auto"].map(directionOf)).toEqual(["rtl", "rtl", "ltr", "auto"]);
  });
});

describe("rooms", () => {
  const person = { name: "", owner: "", operates: false, administers: false };

  it("have doors for those who may pass", () => {
    expect(roomsOf(person)).toEqual(["translate", "chat", "people"]);
    expect(roomsOf({ ...person, operates: true })).toEqual(["translate", "chat", "fleet", "people", "costs"]);
    expect(roomsOf({ ...person, operates: true, administers: true })).toEqual([
      "translate",
      "chat",
      "fleet",
      "models",
      "keys",
      "people",
      "costs",
      "admin",
    ]);
  });

  it("are found by their address, and the first by any other", () => {
    expect(["#/keys", "", "#/nowhere", "#source", "x/keys"].map(roomAt)).toEqual([
      "keys",
      "translate",
      "translate",
      "translate",
      "translate",
    ]);
  });

  it("have places in them", () => {
    expect(roomAt(addressOf("chat", "7-a"))).toBe("chat");
    expect([addressOf("chat", "7-a"), addressOf("chat"), "", "#source"].map(placeAt)).toEqual([
      "7-a",
      "",
      "",
      "",
    ]);
  });
});

describe("the fleet", () => {
  it("is read also where it says little or nonsense", () => {
    expect(fleetOf(null)).toMatchObject({ phase: "unknown", nodes: [], wanted: [] });
    expect(fleetOf({ state: "falling_asleep", nodes: [{ state: "ready", models: [1, "m"] }] })).toMatchObject(
      {
        phase: "fallingAsleep",
        nodes: [{ name: null, models: ["m"] }],
      },
    );
    const progress = { n1: { state: "pulling", completed: 1, total: 2 } };
    expect(fleetOf({ models: [{ name: "m", progress }] }).wanted).toEqual([
      { name: "m", progress: [{ node: "n1", state: "pulling", completed: 1, total: 2 }] },
    ]);
  });
});

describe("a download", () => {
  it("sends the token to the API's own origin only, whatever the address says", async () => {
    const fetched = vi.spyOn(globalThis, "fetch").mockResolvedValue(new Response("x"));
    const door = { origin: "https://llm.example", token: () => "t", expired: () => undefined };
    await download(door, "https://evil.example/download_file/7?a=b");
    expect(fetched.mock.calls[0]?.[0]).toBe("https://llm.example/download_file/7");
    fetched.mockRestore();
  });
});

describe("the rest", () => {
  it("tells a token that can be checked from an opaque one", () => {
    expect([
      isReadable("aa.bb.cc"),
      isReadable("aa.bb"),
      isReadable("b8f3"),
      isReadable("a.b.c.d.e"),
      isReadable(""),
    ]).toEqual([true, false, false, false, false]);
  });

  it("names translated files", () => {
    expect(["a.txt", "a.b.docx", "README", ".po"].map(name => translatedName(name, "ja"))).toEqual([
      "a.ja.txt",
      "a.b.ja.docx",
      "README.ja",
      ".po.ja",
    ]);
  });

  it("knows its keys, also on a Mac, and leaves typing alone", () => {
    const key = (key: string, code = "", ...held: string[]) => ({
      key,
      code,
      ctrlKey: held.includes("ctrl"),
      metaKey: held.includes("meta"),
      altKey: held.includes("alt"),
      shiftKey: held.includes("shift"),
    });
    expect(deedOf(key("Enter", "Enter", "meta"), true)).toBe("translate");
    expect(deedOf(key("Enter", "Enter"), true)).toBeNull();
    expect(deedOf(key("Í", "KeyS", "alt", "shift"), true)).toBe("swap");
    expect(deedOf(key("?", "Slash", "shift"), true)).toBeNull();
    expect(deedOf(key("?", "Slash", "shift"), false)).toBe("help");
  });

  it("draws a line from the first moment to the last, the highest at the top", () => {
    expect(
      lineOf(
        [
          [0, 0],
          [10, 4],
        ],
        4,
      ),
    ).toBe("M0.0 71.0L300.0 3.0");
    expect(lineOf([[5, 0]], 0)).toBe("M300.0 71.0");
    expect(
      nearest(
        [
          [0, 1],
          [10, 2],
          [20, 3],
        ],
        0.6,
      ),
    ).toEqual([10, 2]);
    expect(nearest([], 0.5)).toBeNull();
  });
});
