import assert from "node:assert/strict";
import { newGeneration, newGraphId, parseT } from "../../../protocol/ids.ts";
import {
  parseFinished,
  parseReset,
  parseStreamVersion,
  streamPath,
} from "../../../protocol/today/snapshot.ts";

Deno.test("A call resets unless it says that it doesn't, and is the last only if it says so", () => {
  for (const text of [undefined, "true", "1", ""]) assert.ok(parseReset(text), String(text));
  for (const text of ["false", "0"]) assert.ok(!parseReset(text), text);
  for (const text of ["true", "1"]) assert.ok(parseFinished(text), text);
  for (const text of [undefined, "false", "0", ""]) assert.ok(!parseFinished(text), String(text));
});

Deno.test("The version in an address comes back as it was, and what is none doesn't", () => {
  const log = newGeneration();
  for (const t of [0, 7, Number.MAX_SAFE_INTEGER].map(parseT)) {
    assert.ok(t !== undefined);
    const { searchParams } = new URL(streamPath(newGraphId(), { log, t }), "http://localhost");
    const [text, generation] = ["t", "log"].map((name) => searchParams.get(name) ?? undefined);
    assert.deepEqual(parseStreamVersion(text, generation), { log, t });
  }
  assert.equal(parseStreamVersion(undefined, undefined), "current");
  const wrong: [string | undefined, string | undefined][] = [
    ["1", undefined],
    [undefined, log],
    ["", log],
    ["-1", log],
    ["1.5", log],
    ["9007199254740992", log],
    ["1", "x"],
    ["1", ""],
  ];
  for (const [t, generation] of wrong) {
    assert.equal(parseStreamVersion(t, generation), undefined, `${t} ${generation}`);
  }
});
