import assert from "node:assert/strict";
import fc from "fast-check";
import {
  isModestTransit,
  JsonShape,
  MAX_JSON_DEPTH,
  MAX_JSON_NUMERALS,
  MAX_JSON_VALUES,
  MAX_TRANSIT_VALUES,
  parseJson,
} from "../../protocol/json.ts";

function nested(depth: number, inner = "1"): string {
  return "[".repeat(depth) + inner + "]".repeat(depth);
}

function depthOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

Deno.test("A text of the greatest depth is parsed, one that is deeper is not", () => {
  assert.equal(depthOf(parseJson(nested(MAX_JSON_DEPTH))), MAX_JSON_DEPTH);
  assert.equal(parseJson(nested(MAX_JSON_DEPTH + 1)), undefined);
  assert.equal(parseJson(`${'{"a":'.repeat(33)}1${"}".repeat(33)}`), undefined);
});

Deno.test("What is no JSON is no value", () => {
  for (const text of ["", "{", "[1,]", "a", nested(10_000_000)]) {
    assert.equal(parseJson(text), undefined);
  }
});

Deno.test("The depth of any JSON is counted right, wherever its bytes are cut", () => {
  const json = fc.json({ maxDepth: 6, stringUnit: "binary" });
  fc.assert(fc.property(json, fc.integer({ min: 1, max: 9 }), fc.nat(8), (text, size, max) => {
    const shallow = depthOf(JSON.parse(text)) <= max;
    const whole = new JsonShape(max, Infinity);
    assert.equal(whole.take(text), shallow);
    const bytes = new TextEncoder().encode(text);
    const cut = new JsonShape(max, Infinity);
    let answer = true;
    for (let at = 0; at < bytes.length && answer; at += size) {
      answer = cut.take(bytes.subarray(at, at + size));
    }
    assert.equal(answer, shallow);
  }));
});

Deno.test("Transit may be deeper", () => {
  assert.equal(isModestTransit(nested(1000)), true);
  assert.equal(isModestTransit(nested(1001)), false);
  assert.equal(isModestTransit(JSON.stringify([nested(2000)])), true);
});

Deno.test("A text of too many numbers that are texts is none, keys or values, however they are written", () => {
  const numerals = (count: number): string[] => Array.from({ length: count }, (_, i) => `${i}`);
  const escaped = (text: string): string => text.replace(/\d/g, (digit) => `\\u003${digit}`);
  for (const written of [(text: string) => text, escaped]) {
    const values = (count: number): string =>
      `["a",${numerals(count).map((text) => `"${written(text)}"`).join()}]`;
    const keys = (count: number): string =>
      `{"a":1,${numerals(count).map((text) => `"${written(text)}" : 1`).join()}}`;
    for (const text of [values, keys]) {
      assert.ok(parseJson(text(MAX_JSON_NUMERALS)) !== undefined);
      assert.equal(parseJson(text(MAX_JSON_NUMERALS + 1)), undefined);
    }
  }
  // What stands in a transaction's text is none of its frame.
  const tx = JSON.stringify(numerals(MAX_JSON_NUMERALS + 1));
  assert.deepEqual(parseJson(JSON.stringify({ txs: [tx] })), { txs: [tx] });
  const long = Array(MAX_JSON_NUMERALS + 1).fill("12345678901");
  assert.deepEqual(parseJson(JSON.stringify(long)), long);
});

Deno.test("A text of too many values is none, whatever they are in", () => {
  const wide = (count: number): string => `{"type":"ping","z":[${Array(count).fill("{}").join()}]}`;
  assert.ok(parseJson(wide(1000)) !== undefined);
  assert.equal(parseJson(wide(MAX_JSON_VALUES)), undefined);
  const adds = (count: number): string => `[${Array(count).fill("[1,2,3,4,5]").join()}]`;
  assert.equal(isModestTransit(adds(MAX_TRANSIT_VALUES / 6)), true);
  assert.equal(isModestTransit(adds(MAX_TRANSIT_VALUES / 6 + 1)), false);
});
