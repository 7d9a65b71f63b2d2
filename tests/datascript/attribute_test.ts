import assert from "node:assert/strict";
import fc from "fast-check";
import { attributeOf, compareAttributes } from "../../datascript/attribute.ts";
import { compareKeywords } from "../../datascript/compare.ts";
import { names } from "../support/arbitrary_values.ts";

function mustCompareAsKeywords(x: string, y: string): void {
  assert.equal(
    Math.sign(compareAttributes(attributeOf(x), attributeOf(y))),
    Math.sign(compareKeywords(x, y)),
    `${x} and ${y}`,
  );
}

Deno.test("Attributes compare as keywords do, in whatever order they come", () => {
  fc.assert(fc.property(fc.array(names, { maxLength: 30, size: "max" }), (some) => {
    const attributes = some.map(attributeOf);
    for (const [i, x] of some.entries()) {
      assert.equal(attributes[i], attributeOf(x));
      for (const y of some) mustCompareAsKeywords(x, y);
    }
  }));
});

Deno.test("Between two attributes there is room for any number of others", () => {
  const first = attributeOf("between/a");
  const last = attributeOf("between/b");
  // Each comes between the one before and the last: halves of what is left, that end somewhere.
  const some = Array.from({ length: 200 }, (_, i) => attributeOf(`between/a${"z".repeat(i + 1)}`));
  const all = [first, ...some, last];
  for (const [i, attribute] of all.entries()) {
    for (const later of all.slice(i + 1)) assert.ok(compareAttributes(attribute, later) < 0);
  }
});

Deno.test("Attributes beyond those that are ranked, or shared, compare likewise", () => {
  const many = Array.from({ length: 21_000 }, (_, i) => `many/${(i * 7919) % 21_001}`);
  const before = many.map(attributeOf);
  const far = many.slice(-20);
  const near = many.slice(0, 20);
  for (const x of far) {
    assert.ok(Number.isNaN(attributeOf(x).rank));
    assert.equal(attributeOf(x), attributeOf(x));
    for (const y of [...far, ...near]) {
      mustCompareAsKeywords(x, y);
      mustCompareAsKeywords(y, x);
    }
  }
  // Of one that is shared no more there is another now.
  const [old, now] = [before[11_000], attributeOf(many[11_000] ?? "")];
  assert.ok(old !== undefined && old !== now);
  assert.equal(compareAttributes(old, now), 0);
});
