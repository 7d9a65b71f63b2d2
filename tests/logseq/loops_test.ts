import assert from "node:assert/strict";
import fc from "fast-check";
import { type Edges, isAnyOnLoop } from "../../logseq/loops.ts";

/** The naive way: from each of them, all that it leads to. */
function leadsToItself(start: number, edges: Edges): boolean {
  const seen = new Set<number>();
  const open = [...edges.get(start) ?? []];
  for (let e = open.pop(); e !== undefined; e = open.pop()) {
    if (e === start) return true;
    if (seen.has(e)) continue;
    seen.add(e);
    open.push(...edges.get(e) ?? []);
  }
  return false;
}

Deno.test("Of any entities one is on a loop if it leads to itself", () => {
  const entity = fc.integer({ min: 1, max: 8 });
  const pairs = fc.array(fc.tuple(entity, entity), { maxLength: 14, size: "max" });
  const asked = fc.uniqueArray(entity, { minLength: 1, maxLength: 3 });
  const count = { on: 0, off: 0 };
  fc.assert(
    fc.property(pairs, asked, (pairs, asked) => {
      const edges = new Map(
        [...Map.groupBy(pairs, ([from]) => from)].map(([e, to]) => [e, to.map(([, v]) => v)]),
      );
      const expected = asked.some((e) => leadsToItself(e, edges));
      assert.equal(isAnyOnLoop(new Set(asked), edges), expected);
      if (expected) count.on++;
      else count.off++;
    }),
    { numRuns: 3000 },
  );
  assert.ok(count.on > 300 && count.off > 300, JSON.stringify(count));
});

Deno.test("A way of many entities is gone along once, however many of them ask", () => {
  const length = 50_000;
  const way = Array.from({ length }, (_, i) => [i, [i + 1]] as const);
  const all = new Set(way.map(([e]) => e));
  assert.equal(isAnyOnLoop(all, new Map(way)), false);
  assert.equal(isAnyOnLoop(all, new Map([...way, [length, [0]]])), true);
});
