import assert from "node:assert/strict";
import fc from "fast-check";
import { Datom, TX0 } from "../../datascript/datom.ts";
import { type Merge, merge } from "../../datascript/merge.ts";
import type { Ref } from "../../datascript/node.ts";
import { compareDatoms, compareFacts } from "../../datascript/order.ts";
import type { NodeSource } from "../../datascript/source.ts";
import { collect, EMPTY_TREE, insert, type Tree } from "../../datascript/tree.ts";
import { checkTree } from "../../datascript/tree_check.ts";
import { LazyNodes, StoredNodes } from "../support/memory_db.ts";

const EMPTY = new StoredNodes();
const fact = (e: number, tx: number, added = true): Datom => new Datom(e, "a", "v", tx, added);

function mergeOf(maxKeys: number, source: NodeSource = EMPTY): Merge {
  return { source, compare: compareFacts.eavt, maxKeys };
}

function datomsOf(source: NodeSource, tree: Tree): readonly Datom[] {
  const datoms: Datom[] = [];
  collect(source, tree.root, () => 0, datoms);
  return datoms;
}

function problemsOf(source: NodeSource, tree: Tree, maxKeys: number): readonly string[] {
  return checkTree({ source, compare: compareDatoms.eavt, maxKeys }, tree);
}

/** Some facts of the entities 0 to max, ascending, each once. */
const factsUpTo = (max: number, tx: number): fc.Arbitrary<readonly Datom[]> =>
  fc.oneof(
    fc.array(fc.tuple(fc.nat({ max }), fc.boolean()), { maxLength: 3 }),
    fc.array(fc.tuple(fc.nat({ max }), fc.boolean()), { maxLength: 80 }),
    // A run, as a page that is deleted or pasted makes one.
    fc.tuple(fc.nat({ max }), fc.nat({ max }), fc.boolean()).map(([from, length, added]) =>
      Array.from({ length }, (_, i) => [from + i, added] as const)
    ),
  ).map((facts) =>
    [...new Map(facts)].sort(([x], [y]) => x - y).map(([e, added]) => fact(e, tx, added))
  );

/** A tree in which some facts stand more than once, of several transactions. */
const datomsUpTo = (max: number): fc.Arbitrary<readonly Datom[]> =>
  fc.uniqueArray(fc.tuple(fc.nat({ max }), fc.integer({ min: 1, max: 3 })), {
    maxLength: 120,
    selector: (pair) => pair.join(),
  }).map((pairs) => pairs.map(([e, tx]) => fact(e, TX0 + tx)));

function treeOf(datoms: readonly Datom[], maxKeys: number): Tree {
  const edit = { source: EMPTY, compare: compareDatoms.eavt, maxKeys };
  return datoms.reduce((tree, datom) => insert(edit, tree, datom), EMPTY_TREE);
}

for (const [maxKeys, max] of [[4, 60], [8, 90], [32, 150]] as const) {
  Deno.test(`Facts merged into a stored tree of nodes of ${maxKeys} stand in place of equal ones, and it stays sound`, () => {
    const rounds = fc.tuple(factsUpTo(max, TX0 + 4), factsUpTo(max, TX0 + 5));
    fc.assert(fc.property(datomsUpTo(max), rounds, (datoms, slices) => {
      const stored = new StoredNodes();
      const built = treeOf(datoms, maxKeys);
      let tree: Tree = { ...built, root: stored.store(built.root) };
      const lazy = new LazyNodes(stored);
      let model = datoms;
      for (const facts of slices) {
        const before = datomsOf(stored, tree);
        const from = tree;
        tree = lazy.untilDone(() => merge(mergeOf(maxKeys, lazy), from, facts));
        const named = new Set(facts.map(({ e }) => e));
        model = [...model.filter(({ e }) => !named.has(e)), ...facts.filter((one) => one.added)];
        const sorted = [...model].sort(compareDatoms.eavt);
        assert.deepEqual(datomsOf(stored, tree), sorted);
        assert.deepEqual(problemsOf(stored, tree, maxKeys), []);
        assert.deepEqual(datomsOf(stored, from), before);
      }
    }));
  });
}

Deno.test("Facts that are there as they are, and retractions of what is not, leave the very same tree", () => {
  const stored = new StoredNodes();
  const built = treeOf(Array.from({ length: 100 }, (_, e) => fact(2 * e, TX0 + 1)), 4);
  const tree = { ...built, root: stored.store(built.root) };
  const facts = Array.from({ length: 100 }, (_, e) => fact(e, TX0 + 1, e % 2 === 0));
  assert.equal(merge(mergeOf(4, stored), tree, facts), tree);
  assert.equal(merge(mergeOf(4, stored), tree, []), tree);
});

Deno.test("Nodes without a fact keep their addresses", () => {
  const stored = new StoredNodes();
  const built = treeOf(Array.from({ length: 1000 }, (_, e) => fact(e, TX0 + 1)), 32);
  const tree = { ...built, root: stored.store(built.root) };
  const after = merge(mergeOf(32, stored), tree, [fact(500, TX0 + 2), fact(501, TX0 + 2)]);
  const news = (ref: Ref): number =>
    typeof ref === "number"
      ? 0
      : (ref.children ?? []).reduce<number>((sum, one) => sum + news(one), 1);
  assert.ok(news(after.root) <= 2 * (tree.shift + 1), `${news(after.root)} new nodes`);
});

Deno.test("The nodes that facts need are named a level at a time", () => {
  const stored = new StoredNodes();
  const built = treeOf(Array.from({ length: 1000 }, (_, e) => fact(e, TX0 + 1)), 8);
  const tree = { ...built, root: stored.store(built.root) };
  const lazy = new LazyNodes(stored);
  let runs = 0;
  const facts = Array.from({ length: 100 }, (_, i) => fact(10 * i + 0.5, TX0 + 2));
  lazy.untilDone(() => {
    runs++;
    return merge(mergeOf(8, lazy), tree, facts);
  });
  assert.equal(runs, tree.shift + 2);
});
