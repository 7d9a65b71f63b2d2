import assert from "node:assert/strict";
import { newBytes, utf8 } from "../../kv/bytes.ts";

Deno.test("Bytes are as many as were asked for, and nobody else's", () => {
  const all = Array.from({ length: 1000 }, (_, i) => newBytes(i).fill(i % 251));
  for (const [i, bytes] of all.entries()) {
    assert.equal(bytes.length, i);
    assert.ok(bytes.every((byte) => byte === i % 251), `bytes of ${i} are another's as well`);
  }
});

Deno.test("Bytes are no Buffer, whose slice would be the same memory", () => {
  for (const bytes of [newBytes(3), utf8("abc")]) {
    assert.equal(Object.getPrototypeOf(bytes), Uint8Array.prototype);
  }
});

Deno.test("As UTF-8 a text is what a TextEncoder makes of the text, half a pair among it", () => {
  for (const text of ["", "abc", "ß水🙂", "\ud800x", "x".repeat(10_000)]) {
    assert.deepEqual(utf8(text), new TextEncoder().encode(text));
  }
});
