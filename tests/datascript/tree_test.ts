import assert from "node:assert/strict";
import fc from "fast-check";
import { Datom, TX0 } from "../../datascript/datom.ts";
import type { Node, Ref } from "../../datascript/node.ts";
import { all, compareFacts, ofEntities, ofEntity, type Range } from "../../datascript/order.ts";
import { NO_SOURCE, NodeMissing, type NodeSource } from "../../datascript/source.ts";
import { merge } from "../../datascript/merge.ts";
import { collect, type Edit, EMPTY_TREE, insert, seek, type Tree } from "../../datascript/tree.ts";
import { LazyNodes, StoredNodes } from "../support/memory_db.ts";
import { fact } from "../support/written.ts";
import { checkTree } from "../support/tree.ts";

/** Leaves of numbers, branches of nodes. */
type Literal = readonly number[] | readonly Literal[];

const datom = (n: number, tx = TX0): Datom => fact(n, "a", "v", tx);

function isLeaf(literal: Literal): literal is readonly number[] {
  return literal.every((one) => typeof one === "number");
}

function nodeOf(literal: Literal): Node {
  if (isLeaf(literal)) return { keys: literal.map((n) => datom(n)) };
  const children = literal.map(nodeOf);
  return { keys: children.flatMap((child) => child.keys.at(-1) ?? []), children };
}

function treeOf(literal: Literal): Tree {
  let shift = 0;
  for (let below = literal; !isLeaf(below); below = below[0] ?? []) shift++;
  return { root: nodeOf(literal), shift, count: countIn(literal) };
}

function countIn(literal: Literal): number {
  return isLeaf(literal)
    ? literal.length
    : literal.reduce((count, child) => count + countIn(child), 0);
}

function literalOf(ref: Ref): Literal {
  assert.ok(typeof ref !== "number", "a node, not an address");
  return ref.children === undefined ? ref.keys.map(({ e }) => e) : ref.children.map(literalOf);
}

/** The same nodes, whoever made them. */
function nobodys(ref: Ref): Node {
  assert.ok(typeof ref !== "number", "a node, not an address");
  const { keys } = ref;
  return ref.children === undefined ? { keys } : { keys, children: ref.children.map(nobodys) };
}

function editOf(maxKeys: number, source: NodeSource = NO_SOURCE): Edit {
  return { source, compare: compareFacts.eavt, maxKeys };
}

const EDIT = editOf(4);
const EVERYTHING = all("eavt");

/** The tree without a datom. */
function remove(edit: Edit, tree: Tree, { e, a, v, tx }: Datom): Tree {
  return merge(edit, tree, [new Datom(e, a, v, tx, false)]);
}

function find({ source, compare }: Edit, tree: Tree, wanted: Datom): Datom | undefined {
  const found = seek(source, tree.root, ofEntity(wanted.e, wanted.a, wanted.v));
  return found !== undefined && compare(found, wanted) === 0 ? found : undefined;
}

interface Case {
  readonly title: string;
  readonly before: Literal;
  readonly insert?: number;
  readonly remove?: number;
  readonly after: Literal;
}

const CASES: readonly Case[] = [
  { title: "The first datom makes a leaf", before: [], insert: 1, after: [1] },
  { title: "A leaf has room for one more", before: [1, 3, 4], insert: 2, after: [1, 2, 3, 4] },
  {
    title: "A full leaf splits, and a branch stands over both",
    before: [1, 2, 3, 5],
    insert: 4,
    after: [[1, 2], [3, 4, 5]],
  },
  {
    title: "What is behind everything comes into the last leaf",
    before: [[1, 2], [3, 4]],
    insert: 9,
    after: [[1, 2], [3, 4, 9]],
  },
  {
    title: "A full leaf splits within its branch",
    before: [[1, 2, 3, 4], [6, 7]],
    insert: 5,
    after: [[1, 2, 3, 4], [5, 6, 7]],
  },
  {
    title: "A full leaf in front splits within its branch",
    before: [[1, 2, 4, 5], [6, 7]],
    insert: 3,
    after: [[1, 2], [3, 4, 5], [6, 7]],
  },
  {
    title: "A full branch splits too, and the tree grows",
    before: [[1, 2], [3, 4], [5, 6], [7, 8, 9, 10]],
    insert: 11,
    after: [[[1, 2], [3, 4]], [[5, 6], [7, 8], [9, 10, 11]]],
  },
  { title: "The last datom leaves an empty leaf", before: [1], remove: 1, after: [] },
  {
    title: "A leaf with enough stays as it is but for the datom",
    before: [[1, 2, 3], [4, 5]],
    remove: 3,
    after: [[1, 2], [4, 5]],
  },
  {
    title: "Two leaves that are enough for one merge, and the branch over one goes",
    before: [[1, 2], [3, 4]],
    remove: 1,
    after: [2, 3, 4],
  },
  {
    title: "A leaf merges with the one before it",
    before: [[1, 2], [3, 4], [5, 6]],
    remove: 5,
    after: [[1, 2], [3, 4, 6]],
  },
  {
    title: "A leaf that has too few borrows from the one behind it",
    before: [[1, 2], [3, 4, 5, 6]],
    remove: 2,
    after: [[1, 3], [4, 5, 6]],
  },
  {
    title: "A leaf that has too few borrows from the one before it",
    before: [[1, 2, 3, 4], [5, 6]],
    remove: 6,
    after: [[1, 2], [3, 4, 5]],
  },
  {
    title: "Merged leaves leave branches that merge, and the tree shrinks",
    before: [[[1, 2], [3, 4]], [[5, 6], [7, 8]]],
    remove: 8,
    after: [[1, 2], [3, 4], [5, 6, 7]],
  },
  {
    title: "A branch that has too few borrows from its neighbour",
    before: [[[1, 2], [3, 4], [5, 6], [7, 8]], [[9, 10], [11, 12]]],
    remove: 12,
    after: [[[1, 2], [3, 4]], [[5, 6], [7, 8], [9, 10, 11]]],
  },
];

for (const one of CASES) {
  Deno.test(`In a tree of nodes of 4: ${one.title}`, () => {
    const before = treeOf(one.before);
    const after = one.insert !== undefined
      ? insert(EDIT, before, datom(one.insert))
      : remove(EDIT, before, datom(one.remove ?? NaN));
    assert.deepEqual(literalOf(after.root), one.after);
    assert.deepEqual({ ...after, root: nobodys(after.root) }, treeOf(one.after));
    assert.deepEqual(checkTree(EDIT, after), []);
    assert.deepEqual(before, treeOf(one.before));
  });
}

Deno.test("Removing what is not there changes nothing", () => {
  const tree = treeOf([[1, 3], [5, 7]]);
  for (const n of [0, 2, 4, 9]) assert.equal(remove(EDIT, tree, datom(n)), tree);
});

Deno.test("A datom takes the place of an equal one, as the greatest of its branch too", () => {
  const tree = treeOf([[1, 3], [5, 7]]);
  const after = insert(EDIT, tree, datom(3, TX0 + 5));
  assert.equal(after.count, 4);
  assert.deepEqual(find(EDIT, after, datom(3)), datom(3, TX0 + 5));
  assert.deepEqual(nobodys(after.root), {
    keys: [datom(3, TX0 + 5), datom(7)],
    children: [{ keys: [datom(1), datom(3, TX0 + 5)] }, { keys: [datom(5), datom(7)] }],
  });
});

const PROBLEMS: readonly (readonly [title: string, tree: Tree, problem: string])[] = [
  ["keys that do not ascend", treeOf([[1, 2], [2, 3]]), "node /1 has a key 0 that does not follow"],
  ["a node of too few keys", treeOf([[1], [2, 3]]), "node /0 has 1 keys"],
  ["a node of too many keys", treeOf([1, 2, 3, 4, 5]), "node root has 5 keys"],
  ["a branch over one child", treeOf([[1, 2]]), "node root has 1 keys"],
  ["leaves at two depths", treeOf([[1, 2], [[3, 4], [5, 6]]]), "node /1 ends at level 0"],
  ["a count that is wrong", { ...treeOf([1, 2]), count: 3 }, "2 datoms, but a count of 3"],
  [
    "a key that is not its child's greatest",
    { root: { ...nodeOf([[1, 2], [3, 4]]), keys: [datom(1), datom(4)] }, shift: 1, count: 4 },
    "node root has a key 0 that is not the greatest",
  ],
];

for (const [title, tree, problem] of PROBLEMS) {
  Deno.test(`checkTree tells of ${title}`, () => {
    const problems = checkTree(EDIT, tree);
    assert.ok(problems.some((one) => one.startsWith(problem)), problems.join("\n"));
  });
}

/** Inserts and removals over few numbers, so that the tree grows, shrinks and grows again. */
const steps = (
  max: number,
  maxLength: number,
): fc.Arbitrary<readonly (readonly [boolean, number])[]> =>
  fc.array(
    fc.oneof(
      fc.array(fc.tuple(fc.constant(true), fc.nat({ max })), { minLength: 1, maxLength: 30 }),
      fc.array(fc.tuple(fc.constant(false), fc.nat({ max })), { minLength: 1, maxLength: 30 }),
      // Runs, as imports and deletions of pages make them.
      fc.tuple(fc.boolean(), fc.nat({ max }), fc.integer({ min: 1, max: 30 }))
        .map(([adds, from, length]) =>
          Array.from({ length }, (_, i) => [adds, (from + i) % (max + 1)] as const)
        ),
    ),
    { maxLength },
  ).map((runs) => runs.flat());

for (const [maxKeys, max, maxLength, numRuns] of [[4, 60, 20, 60], [32, 600, 60, 10]] as const) {
  Deno.test(`A tree of nodes of ${maxKeys} holds what a sorted array holds, and stays sound`, () => {
    const edit = editOf(maxKeys);
    fc.assert(
      fc.property(steps(max, maxLength), (all) => {
        let tree = EMPTY_TREE;
        let model: readonly number[] = [];
        for (const [adds, n] of all) {
          tree = (adds ? insert : remove)(edit, tree, datom(n));
          model = adds ? [...new Set([...model, n])] : model.filter((other) => other !== n);
          assert.deepEqual(checkTree(edit, tree), []);
          assert.equal(tree.count, model.length);
        }
        const sorted = model.toSorted((x, y) => x - y);
        const held: Datom[] = [];
        collect(NO_SOURCE, tree, EVERYTHING, held);
        assert.deepEqual(held.map(({ e }) => e), sorted);
        for (const n of [0, 7, max]) {
          const some: Datom[] = [];
          collect(NO_SOURCE, tree, ofEntities(n, n + 10), some);
          assert.deepEqual(some.map(({ e }) => e), sorted.filter((e) => e >= n && e <= n + 9));
          assert.equal(
            seek(NO_SOURCE, tree.root, ofEntity(n))?.e,
            sorted.find((e) => e >= n),
          );
        }
      }),
      { numRuns },
    );
  });
}

/** A hundred datoms, every second number, behind addresses. */
function storedTree(): { tree: Tree; nodes: StoredNodes } {
  const nodes = new StoredNodes();
  let tree = EMPTY_TREE;
  for (let n = 0; n < 200; n += 2) tree = insert(EDIT, tree, datom(n));
  return { tree: { ...tree, root: nodes.store(tree.root) }, nodes };
}

Deno.test("A node that is not here is named, and nothing else happens", () => {
  const { tree } = storedTree();
  for (
    const run of [
      (): unknown => insert(EDIT, tree, datom(5)),
      (): unknown => remove(EDIT, tree, datom(4)),
      (): unknown => find(EDIT, tree, datom(4)),
      (): unknown => collect(NO_SOURCE, tree, EVERYTHING, []),
      (): unknown => checkTree(EDIT, tree),
    ]
  ) {
    assert.throws(run, (thrown) => {
      assert.ok(thrown instanceof NodeMissing);
      assert.deepEqual(thrown.addresses, [tree.root]);
      return true;
    });
  }
});

Deno.test("Search and insertion load the nodes from the root to one leaf, and no others", () => {
  const { tree, nodes } = storedTree();
  const wholeTree = new LazyNodes(nodes);
  wholeTree.untilDone(() => checkTree(editOf(4, wholeTree), tree));
  assert.ok(tree.shift >= 3 && wholeTree.count > 30, "a tree worth the test");

  for (const n of [0, 50, 199]) {
    const found = new LazyNodes(nodes);
    const finder = editOf(4, found);
    assert.equal(
      found.untilDone(() => find(finder, tree, datom(n)))?.e,
      n % 2 === 0 ? n : undefined,
    );
    // What is behind everything is known to be absent from the root's keys alone.
    assert.equal(found.count, n === 199 ? 1 : tree.shift + 1);

    const inserted = new LazyNodes(nodes);
    const inserter = editOf(4, inserted);
    const after = inserted.untilDone(() => insert(inserter, tree, datom(n)));
    assert.equal(inserted.count, tree.shift + 1);
    assert.deepEqual(checkTree(editOf(4, nodes), after), []);
  }
});

Deno.test("Removal loads at most a neighbour on each level, and the way to who comes behind, beside its way", () => {
  const { tree, nodes } = storedTree();
  for (let n = 0; n < 200; n += 2) {
    const lazy = new LazyNodes(nodes);
    const edit = editOf(4, lazy);
    const after = lazy.untilDone(() => remove(edit, tree, datom(n)));
    assert.ok(lazy.count <= 3 * tree.shift + 1, `${lazy.count} nodes for ${n}`);
    assert.deepEqual(checkTree(editOf(4, nodes), after), []);
    assert.equal(after.count, tree.count - 1);
  }
});

Deno.test("A stretch over many leaves names some at once, and who is asked for an entity its neighbours too", () => {
  const { tree, nodes } = storedTree();
  const load = (lazy: LazyNodes, range: Range): number => {
    let rounds = -1;
    lazy.untilDone(() => {
      rounds++;
      collect(lazy, tree, range, []);
    });
    return rounds;
  };
  const many = new LazyNodes(nodes);
  const rounds = load(many, ofEntities(40, 90));
  assert.ok(rounds < many.count * 2 / 3, `${many.count} nodes in ${rounds} rounds`);

  const lazy = new LazyNodes(nodes);
  assert.equal(load(lazy, ofEntity(50)), tree.shift + 1);
  const before = lazy.count;
  for (const e of [48, 52]) load(lazy, ofEntity(e));
  assert.equal(lazy.count, before);
});
