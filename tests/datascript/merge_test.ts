import assert from "node:assert/strict";
import fc from "fast-check";
import { Datom, TX0 } from "../../datascript/datom.ts";
import { merge } from "../../datascript/merge.ts";
import type { Ref } from "../../datascript/node.ts";
import { all, compareDatoms, compareFacts } from "../../datascript/order.ts";
import { nodeAt, type NodeSource } from "../../datascript/source.ts";
import { collect, EMPTY_TREE, insert, type Tree, type TreeRules } from "../../datascript/tree.ts";
import { LazyNodes, StoredNodes } from "../support/memory_db.ts";
import { checkTree } from "../support/tree.ts";

const EMPTY = new StoredNodes();
const fact = (e: number, tx: number, added = true): Datom => new Datom(e, "a", "v", tx, added);

function mergeOf(maxKeys: number, source: NodeSource = EMPTY): TreeRules {
  return { source, compare: compareFacts.eavt, maxKeys };
}

function datomsOf(source: NodeSource, tree: Tree): readonly Datom[] {
  const datoms: Datom[] = [];
  collect(source, tree, all("eavt"), datoms);
  return datoms;
}

function problemsOf(source: NodeSource, tree: Tree, maxKeys: number): readonly string[] {
  return checkTree({ source, compare: compareDatoms.eavt, maxKeys }, tree);
}

/** Some facts of the entities 0 to max, ascending, each once. */
const factsUpTo = (max: number, tx: number): fc.Arbitrary<readonly Datom[]> =>
  fc.oneof(
    fc.array(fc.tuple(fc.nat({ max }), fc.boolean()), { maxLength: 3 }),
    fc.array(fc.tuple(fc.nat({ max }), fc.boolean()), { maxLength: 80, size: "max" }),
    // A run, as a page that is deleted or pasted makes one.
    fc.tuple(fc.nat({ max }), fc.nat({ max }), fc.boolean()).map(([from, length, added]) =>
      Array.from({ length }, (_, i) => [from + i, added] as const)
    ),
  ).map((facts) =>
    [...new Map(facts)].sort(([x], [y]) => x - y).map(([e, added]) => fact(e, tx, added))
  );

/** Some facts stand more than once, of several transactions: of few of them, whole leaves do. */
const datomsUpTo = (max: number): fc.Arbitrary<readonly Datom[]> =>
  fc.uniqueArray(
    fc.oneof(
      fc.tuple(fc.nat({ max }), fc.integer({ min: 1, max: 3 })),
      fc.tuple(fc.nat({ max: 3 }).map((i) => Math.floor(i * max / 3)), fc.nat({ max: 20 })),
    ),
    { maxLength: 120, size: "max", selector: (pair) => pair.join() },
  ).map((pairs) => pairs.map(([e, tx]) => fact(e, TX0 + tx)));

function treeOf(datoms: readonly Datom[], maxKeys: number): Tree {
  const edit = { source: EMPTY, compare: compareDatoms.eavt, maxKeys };
  return datoms.reduce((tree, datom) => insert(edit, tree, datom), EMPTY_TREE);
}

Deno.test("A fact comes in though the one behind it is of the same transaction", () => {
  const tree = merge(mergeOf(4), treeOf([fact(1, TX0), fact(3, TX0)], 4), [fact(2, TX0)]);
  assert.deepEqual(datomsOf(EMPTY, tree).map(({ e }) => e), [1, 2, 3]);
});

for (const [maxKeys, max] of [[4, 60], [8, 90], [32, 150]] as const) {
  Deno.test(`Facts merged into a stored tree of nodes of ${maxKeys} stand in place of equal ones, and it stays sound`, () => {
    const rounds = fc.tuple(factsUpTo(max, TX0 + 21), factsUpTo(max, TX0 + 22));
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

Deno.test("A fact takes the place of all equal ones, also where they fill leaves and branches", () => {
  for (const added of [true, false]) {
    const copies = Array.from({ length: 40 }, (_, tx) => fact(5, TX0 + tx));
    const tree = treeOf([fact(1, TX0), fact(4, TX0), ...copies, fact(6, TX0), fact(9, TX0)], 4);
    assert.ok(tree.shift >= 3, "branches of them alone");
    const after = merge(mergeOf(4), tree, [fact(5, TX0 + 50, added)]);
    const left = datomsOf(EMPTY, after).map(({ e, tx }) => [e, tx - TX0]);
    assert.deepEqual(left, [[1, 0], [4, 0], ...added ? [[5, 50]] : [], [6, 0], [9, 0]]);
    assert.deepEqual(problemsOf(EMPTY, after, 4), []);
  }
});

Deno.test("Two facts side by side make anew no more than the way to them", () => {
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

interface FoundLeaf {
  readonly ref: Ref;
  readonly keys: readonly Datom[];
}

function leavesOf(source: NodeSource, ref: Ref): readonly FoundLeaf[] {
  const { keys, children } = nodeAt(source, ref);
  return children === undefined
    ? [{ ref, keys }]
    : children.flatMap((child) => leavesOf(source, child));
}

/** For each leaf what is left of its keys, and comes to them; `undefined` where no fact belongs. */
function lengthsAfter(
  leaves: readonly FoundLeaf[],
  facts: readonly Datom[],
): readonly (number | undefined)[] {
  const placeOf = ({ e }: Datom): number => {
    const place = leaves.findIndex(({ keys }) => e <= (keys.at(-1)?.e ?? -1));
    return place < 0 ? leaves.length - 1 : place;
  };
  const named = new Set(facts.map(({ e }) => e));
  const places = facts.map((one) => [placeOf(one), one.added] as const);
  return leaves.map(({ keys }, i) => {
    const here = places.filter(([place]) => place === i);
    const left = keys.filter(({ e }) => !named.has(e));
    if (here.length === 0 && left.length === keys.length) return undefined;
    return left.length + here.filter(([, added]) => added).length;
  });
}

/** Whether one of the leaves with facts that follow each other from there on is left with too few keys. */
function hasShort(
  lengths: readonly (number | undefined)[],
  from: number,
  step: 1 | -1,
  least: number,
): boolean {
  for (let i = from;; i += step) {
    const length = lengths[i];
    if (length === undefined) return false;
    if (length < least) return true;
  }
}

for (const [maxKeys, max] of [[4, 60], [8, 90], [32, 600]] as const) {
  Deno.test(`A leaf of ${maxKeys} without a fact keeps its address but for a neighbour with too few keys`, () => {
    fc.assert(fc.property(datomsUpTo(max), factsUpTo(max, TX0 + 21), (datoms, facts) => {
      const stored = new StoredNodes();
      const built = treeOf(datoms, maxKeys);
      const tree = { ...built, root: stored.store(built.root) };
      const leaves = leavesOf(stored, tree.root);
      const after = merge(mergeOf(maxKeys, stored), tree, facts);
      const kept = new Set(leavesOf(stored, after.root).map(({ ref }) => ref));
      const lengths = lengthsAfter(leaves, facts);
      for (const [i, { ref }] of leaves.entries()) {
        if (lengths[i] !== undefined) continue;
        const goes = hasShort(lengths, i - 1, -1, maxKeys / 2) ||
          hasShort(lengths, i + 1, 1, maxKeys / 2);
        assert.ok(goes || kept.has(ref), `leaf ${i} of ${leaves.length}`);
      }
    }));
  });
}

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

Deno.test("The neighbours of all nodes that got too few keys are named at once", () => {
  const stored = new StoredNodes();
  const built = treeOf(Array.from({ length: 1000 }, (_, e) => fact(e, TX0 + 1)), 16);
  const tree = { ...built, root: stored.store(built.root) };
  const lazy = new LazyNodes(stored);
  let runs = 0;
  // Leaves hold 8 keys: every second one is left with 3, and the one before it gets no fact.
  const facts = Array.from({ length: 62 }, (_, i) => 16 * i + 8)
    .flatMap((from) => Array.from({ length: 5 }, (_, i) => fact(from + i, TX0 + 2, false)));
  const after = lazy.untilDone(() => {
    runs++;
    return merge(mergeOf(16, lazy), tree, facts);
  });
  assert.equal(after.count, 1000 - facts.length);
  assert.equal(runs, tree.shift + 3);
});
