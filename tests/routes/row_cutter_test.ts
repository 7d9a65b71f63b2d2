import assert from "node:assert/strict";
import fc from "fast-check";
import { MAX_JSON_DEPTH } from "../../protocol/json.ts";
import { RowCutter } from "../../routes/row_cutter.ts";

/** What a text in pieces comes to; `undefined`: refused before its end. */
function cut(
  text: string,
  size: number,
): { readonly rows: readonly unknown[]; readonly rest: string } | undefined {
  const rows: unknown[] = [];
  const cutter = new RowCutter((some) => rows.push(...some) > 0);
  for (let at = 0; at < text.length; at += size) {
    if (!cutter.take(text.slice(at, at + size))) return undefined;
  }
  return { rows, rest: cutter.rest };
}

Deno.test("The rows of any text and what is beside them are what JSON says, wherever it is cut", () => {
  const value = fc.jsonValue({ maxDepth: 3, stringUnit: "binary" });
  const key = fc.oneof(fc.string(), fc.constantFrom('x"rows', "rows ", " rows", 'a,"rows":['));
  const beside = fc.dictionary(key.filter((key) => key !== "rows"), value);
  const space = fc.constantFrom(undefined, 1, "\n\t");
  const size = fc.integer({ min: 1, max: 50 });
  fc.assert(
    fc.property(
      fc.array(value),
      beside,
      beside,
      space,
      size,
      (rows, before, after, space, size) => {
        const text = JSON.stringify({ ...before, rows, ...after }, null, space);
        const found = cut(text, size);
        assert.ok(found !== undefined);
        assert.deepEqual(found.rows, JSON.parse(JSON.stringify(rows)));
        const { rows: left, ...others } = JSON.parse(found.rest);
        assert.deepEqual(left, []);
        assert.deepEqual(others, JSON.parse(JSON.stringify({ ...before, ...after })));
      },
    ),
  );
});

Deno.test("Rows whose key is written in an unusual way are left in the rest", () => {
  for (const start of ['{"r\\u006fws":[', `{"rows":${" ".repeat(50)}[`]) {
    const found = cut(`${start}[1,"x",null]]}`, 7);
    assert.deepEqual(found?.rows, []);
    assert.deepEqual(JSON.parse(found.rest), { rows: [[1, "x", null]] });
  }
});

Deno.test("A text ends where it is too deep, or too much is beside its rows", () => {
  const deep = MAX_JSON_DEPTH - 2;
  const nested = (depth: number): string => `{"rows":[${"[".repeat(depth)}${"]".repeat(depth)}]}`;
  assert.equal(cut(nested(deep), 5)?.rows.length, 1);
  assert.equal(cut(nested(deep + 1), 5), undefined);
  const long = "x".repeat(9_000_000);
  assert.equal(cut(`{"rows":["${long}"]}`, 100_000)?.rows.length, 1);
  assert.equal(cut(`{"more":"${long}","rows":[]}`, 100_000), undefined);
});
