import assert from "node:assert/strict";
import fc from "fast-check";
import { parseForms } from "../../datascript/forms.ts";
import { hash } from "../../datascript/hash.ts";
import {
  equal,
  isVector,
  Keyword,
  List,
  MapValue,
  sequence,
  SetValue,
  Tagged,
  type Value,
} from "../../datascript/value.ts";
import { values } from "../support/arbitrary_values.ts";
import { value } from "../support/written.ts";

/** The same with maps and sets in the other order, and vectors as lists. */
function turned(v: Value): Value {
  if (v instanceof MapValue) {
    return new MapValue(v.entries.map(([k, held]) => [turned(k), turned(held)] as const).reverse());
  }
  if (v instanceof SetValue) return new SetValue(v.items.map(turned).reverse());
  if (v instanceof List) return v.items.map(turned);
  if (v instanceof Tagged) return new Tagged(v.tag, turned(v.rep));
  return isVector(v) ? new List(v.map(turned)) : v;
}

/** The naive way: each held against each of the others. */
function isSame(x: Value, y: Value): boolean {
  if (x instanceof MapValue && y instanceof MapValue) {
    return x.entries.length === y.entries.length &&
      x.entries.every(([xk, xv]) => y.entries.some(([yk, yv]) => isSame(xk, yk) && isSame(xv, yv)));
  }
  if (x instanceof SetValue && y instanceof SetValue) {
    return x.items.length === y.items.length &&
      x.items.every((one) => y.items.some((other) => isSame(one, other)));
  }
  const [xs, ys] = [sequence(x), sequence(y)];
  if (xs !== undefined && ys !== undefined) {
    return xs.length === ys.length && xs.every((one, i) => isSame(one, ys[i] ?? null));
  }
  if (x instanceof Tagged && y instanceof Tagged) return x.tag === y.tag && isSame(x.rep, y.rep);
  return equal(x, y);
}

Deno.test("What is equal doesn't depend on the order of maps and sets, nor on vector or list", () => {
  fc.assert(
    fc.property(values, (v) => {
      assert.ok(equal(v, turned(v)) && equal(turned(v), v));
      assert.equal(hash(v), hash(turned(v)));
    }),
    { numRuns: 1000 },
  );
});

Deno.test("Two values are equal if each of their parts is", () => {
  const similar = values.chain((v) =>
    fc.tuple(fc.constant(v), fc.oneof(values, fc.constant(turned(v)), changed(v)))
  );
  const count = { same: 0, other: 0 };
  fc.assert(
    fc.property(similar, ([x, y]) => {
      const expected = isSame(x, y);
      assert.equal(equal(x, y), expected);
      count[expected ? "same" : "other"]++;
    }),
    { numRuns: 2000 },
  );
  assert.ok(count.same > 200 && count.other > 200, JSON.stringify(count));
});

/** The same with another value in the place of one of its parts. */
function changed(v: Value): fc.Arbitrary<Value> {
  const at = (length: number): fc.Arbitrary<number> => fc.nat(Math.max(0, length - 1));
  if (v instanceof MapValue) {
    return fc.tuple(at(v.entries.length), values).map(([place, other]) =>
      new MapValue(
        v.entries.map(([k, held], i) => [k, i === place ? other : held] as const).reverse(),
      )
    );
  }
  if (v instanceof SetValue) {
    return fc.tuple(at(v.items.length), values).map(([place, other]) =>
      new SetValue(v.items.map((item, i) => i === place ? other : item).reverse())
    );
  }
  return values;
}

Deno.test("Values of different types that are written alike are not equal", () => {
  const alike = [":a", "#ua", "a", ["a"], { a: "a" }, "1", 1, true, "true", null].map(value);
  for (const [i, x] of alike.entries()) {
    for (const [j, y] of alike.entries()) {
      assert.equal(equal(x, y), i === j);
      const [inX, inY] = [new SetValue([x, 0]), new SetValue([0, y])];
      assert.equal(equal(inX, inY), i === j, `${i} and ${j} in sets`);
    }
  }
  assert.ok(equal(new SetValue([0, "a"]), new SetValue(["a", -0])));
});

Deno.test("What is deep inside of values is looked at a few times, not at each level", () => {
  let looks = 0;
  const watched = new Keyword("a");
  Object.defineProperty(watched, "name", { get: () => (looks++, "a") });
  /** One above the other in sets and maps, with the lower one first or last. */
  const above = (lowest: Value, isFirst: boolean): Value => {
    let value = lowest;
    for (let i = 0; i < 150; i++) {
      const items = isFirst ? [value, i] : [i, value];
      value = i % 2 === 0 ? new SetValue(items) : new MapValue(items.map((item) => [item, 1]));
    }
    return value;
  };
  const deep = above(new SetValue([watched, 1]), true);
  assert.ok(equal(deep, above(new SetValue([1, new Keyword("a")]), false)));
  assert.ok(!equal(deep, above(new SetValue([2, watched]), false)));
  parseForms([[new Keyword("db/add"), 1, new Keyword("x"), deep]]);
  assert.ok(looks < 20, `${looks}`);
});
