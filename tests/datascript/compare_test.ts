import assert from "node:assert/strict";
import fc from "fast-check";
import { compareKeywords, compareValues } from "../../datascript/compare.ts";
import { type Datom, decodeDatom } from "../../datascript/datom.ts";
import { compareDatoms, type Index, INDEXES } from "../../datascript/order.ts";
import { decode } from "../../datascript/transit.ts";
import { equal, keywordParts, SetValue, Tagged } from "../../datascript/value.ts";
import { names, scalars, values } from "../support/arbitrary_values.ts";
import { readDatoms } from "../support/fixtures.ts";
import { openFixture } from "../support/memory_db.ts";
import { fact, showValue, value, type Written } from "../support/written.ts";

Deno.test("The order of values is the same seen from both sides, and 0 for equal ones", () => {
  fc.assert(
    fc.property(values, values, (x, y) => {
      assert.equal(Math.sign(compareValues(x, y)) + Math.sign(compareValues(y, x)), 0);
      assert.equal(compareValues(x, x), 0);
      if (equal(x, y)) assert.equal(compareValues(x, y), 0);
    }),
    { numRuns: 1000 },
  );
});

Deno.test("Only equal scalars have no order between them", () => {
  fc.assert(
    fc.property(scalars, scalars, (x, y) => {
      assert.equal(compareValues(x, y) === 0, equal(x, y));
    }),
    { numRuns: 1000 },
  );
});

Deno.test("What is before a value that is before another is before that one too", () => {
  fc.assert(
    fc.property(fc.array(values, { minLength: 3, maxLength: 6 }), (some) => {
      const sorted = some.toSorted(compareValues);
      for (const [i, x] of sorted.entries()) {
        for (const y of sorted.slice(i + 1)) assert.ok(compareValues(x, y) <= 0);
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("Keywords sort by namespace, then by name, those without a namespace first", () => {
  const parts = (name: string): readonly [boolean, string, string] => {
    const [namespace, own] = keywordParts(name);
    return [namespace !== undefined, namespace ?? "", own];
  };
  const naive = (x: string, y: string): number => {
    const [xs, ys] = [parts(x), parts(y)];
    for (const i of [0, 1, 2] as const) {
      if (xs[i] !== ys[i]) return xs[i] < ys[i] ? -1 : 1;
    }
    return 0;
  };
  const units = fc.constantFrom("/", "\0", "\x01", "\x02", "a", "b");
  const odd = fc.oneof(names, fc.string({ unit: units, maxLength: 5 }));
  fc.assert(
    fc.property(odd, odd, (x, y) => {
      assert.equal(compareKeywords(x, y), naive(x, y), JSON.stringify([x, y]));
    }),
    { numRuns: 2000 },
  );
});

Deno.test("A keyword's namespace and name are what ClojureScript makes of its text", () => {
  const expected: readonly (readonly [string, ReturnType<typeof keywordParts>])[] = [
    ["", [undefined, ""]],
    ["a", [undefined, "a"]],
    ["/", [undefined, "/"]],
    ["/a", ["", "a"]],
    ["a/", ["a", ""]],
    ["a/b", ["a", "b"]],
    ["a/b/c", [undefined, "a"]],
    ["//", [undefined, ""]],
  ];
  for (const [name, parts] of expected) assert.deepEqual(keywordParts(name), parts, name);
});

const ASCENDING: readonly (readonly [title: string, values: readonly Written[]])[] = [
  ["Numbers numerically, whole or not", [-Infinity, -2, -1.5, 0, 1, 1.25, 2, 10, 1e300]],
  ["Strings by UTF-16 code unit", ["", "A", "B", "a", "aa", "b", "é", "\ud83c\udf89", "\uff00"]],
  ["False before true", [false, true]],
  ["Keywords without a namespace first", [
    ":!",
    ":/",
    ":a/b/c",
    ":b",
    ":c",
    ":/a",
    ":a/z",
    ":a.b/a",
    ":b/a",
    ":b/b",
  ]],
  ["UUIDs by their text", ["#u00", "#u0a", "#ua0", "#uloc5", "#uz"]],
  ["Instants by time", [
    new Date(-1),
    new Date(0),
    new Date(1),
    new Date(2 ** 32),
    new Date(1795532160314),
    new Date(1795532160315),
  ]],
  ["Vectors by length, then by element", [[], [2], [1, 1], [1, 2], [2, 0], [0, 0, 0]]],
  ["Nil in a vector before all else there", [[null], [false], [true]]],
  ["Different types by the name of the type in release builds", [
    false,
    new Date(0),
    5,
    "",
    new Tagged("x", "any"),
    "#u00",
    new SetValue([]),
    { ":a": 1 },
    ":a",
    Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`:${i}`, 1])),
    [],
  ]],
  ["A map of eight entries with those of one", [
    new SetValue([]),
    Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`:${i}`, 1])),
    ":a",
    Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`:${i}`, 1])),
  ]],
];

for (const [title, written] of ASCENDING) {
  Deno.test(`In the order of values: ${title}`, () => {
    const sorted = written.map(value);
    const shown = (): readonly string[] => sorted.toReversed().sort(compareValues).map(showValue);
    assert.deepEqual(shown(), sorted.map(showValue));
  });
}

/** Why the first datom that does not follow the one before it is wrong there. */
function disorder(index: Index, datoms: readonly Datom[]): number {
  return datoms.findIndex((datom, i) => {
    const before = datoms[i - 1];
    return before !== undefined && compareDatoms[index](before, datom) >= 0;
  });
}

for (const set of ["small-a", "variety-small", "variety-medium"]) {
  Deno.test(`The recorded indexes of ${set} are in this order`, () => {
    const db = openFixture(set);
    for (const index of INDEXES) assert.equal(disorder(index, db.everything(index)), -1, index);
    const recorded = readDatoms(set, "datoms").map((line) => decodeDatom(decode(line)));
    assert.equal(disorder("eavt", recorded), -1);
  });
}

Deno.test("Each index looks at the parts of a datom in its own order, at tx last", () => {
  const datoms = [
    fact(1, "b", 5, 9),
    fact(1, "a", 9, 9),
    fact(2, "a", 3, 8),
    fact(2, "a", 3, 7),
    fact(1, "a", 4, 9),
  ];
  const told = (index: Index): readonly string[] =>
    datoms.toSorted(compareDatoms[index]).map(({ e, a, v, tx }) => `${e} ${a} ${v} ${tx}`);
  assert.deepEqual(told("eavt"), ["1 a 4 9", "1 a 9 9", "1 b 5 9", "2 a 3 7", "2 a 3 8"]);
  assert.deepEqual(told("aevt"), ["1 a 4 9", "1 a 9 9", "2 a 3 7", "2 a 3 8", "1 b 5 9"]);
  assert.deepEqual(told("avet"), ["2 a 3 7", "2 a 3 8", "1 a 4 9", "1 a 9 9", "1 b 5 9"]);
});
