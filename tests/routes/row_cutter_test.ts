import assert from "node:assert/strict";
import fc from "fast-check";
import { MAX_JSON_DEPTH, MAX_JSON_VALUES } from "../../protocol/json.ts";
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
  // Rows as clients send them, and within them what looks like where one ends and another begins.
  const trap = fc.constantFrom("],[1,", '],[1,"', '"],[1,"', "]],[", "\\", '\\"', "x");
  const content = fc.array(trap, { maxLength: 4 }).map((parts) => parts.join(""));
  const row = fc.tuple(fc.oneof(fc.nat(), content), content, fc.oneof(fc.constant(null), content));
  const nestedRow = fc.tuple(fc.nat(), content, fc.array(row, { maxLength: 3 }));
  const key = fc.oneof(fc.string(), fc.constantFrom('x"rows', "rows ", " rows", 'a,"rows":['));
  const beside = fc.dictionary(
    key.filter((key) => key !== "rows"),
    fc.oneof(value, fc.array(row, { maxLength: 3 })),
  );
  const space = fc.constantFrom(undefined, 1, "\n\t");
  const size = fc.integer({ min: 1, max: 100 });
  fc.assert(
    fc.property(
      fc.array(fc.oneof(row, row, nestedRow, value), { size: "max", maxLength: 20 }),
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
  const between = (depth: number): string =>
    `{"rows":[[1,"x"],${"[".repeat(depth)}${"]".repeat(depth)},[2,"y"],[3,"z"]]}`;
  for (let size = 5; size < 100; size++) {
    assert.equal(cut(between(deep), size)?.rows.length, 4);
    assert.equal(cut(between(deep + 1), size), undefined);
  }
  const long = "x".repeat(9_000_000);
  assert.equal(cut(`{"rows":["${long}"]}`, 100_000)?.rows.length, 1);
  assert.equal(cut(`{"more":"${long}","rows":[]}`, 100_000), undefined);
});

Deno.test("A text ends where a row has too many values, which would take far more memory than it", () => {
  for (const value of ["0,", "{},", '"",']) {
    const wide = `{"rows":[[1,"x",${value.repeat(MAX_JSON_VALUES)}0]]}`;
    assert.ok(cut(wide, 65_536) === undefined, value);
  }
});
