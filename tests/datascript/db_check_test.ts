import assert from "node:assert/strict";
import { TX0 } from "../../datascript/datom.ts";
import { Db } from "../../datascript/db.ts";
import { withDatoms } from "../../datascript/draft.ts";
import type { Trees } from "../../datascript/stored.ts";
import { checkDb } from "../../datascript/db_check.ts";
import { merge } from "../../datascript/merge.ts";
import { compareFacts, type Index } from "../../datascript/order.ts";
import { nodeAt } from "../../datascript/source.ts";
import { drive } from "../../datascript/tree_check.ts";
import { stored, type StoredNodes, treeWith } from "../support/memory_db.ts";
import { fact, schemaOf } from "../support/written.ts";

const SCHEMA = schemaOf({
  "name": {},
  "id": { ":db/unique": ":db.unique/identity" },
  "rank": { ":db/index": true },
  "zip": { ":db/unique": ":db.unique/value" },
});
const FACTS = Array.from({ length: 12 }, (_, i) => [
  fact(i + 1, "name", `n${i}`),
  fact(i + 1, "id", i),
  fact(i + 1, "rank", i % 3),
]).flat();

/** What is wrong with a database. */
function problemsOf(db: Db, nodes: StoredNodes): readonly string[] {
  const problems: string[] = [];
  const walk = checkDb(
    db,
    { minKeys: 2, maxKeys: 4 },
    (place, what) => void problems.push(`${place} ${what}`),
  );
  drive(walk, (refs) => refs.map((ref) => nodeAt(nodes, ref)));
  return problems;
}

/** The facts, with another tree of one index. */
function withTree(
  index: Index,
  facts: Parameters<typeof stored>[1],
): readonly [Db, StoredNodes] {
  const { root, nodes } = stored(SCHEMA, FACTS);
  const tree = treeWith(index, facts, 4);
  const trees: Trees = { ...root.trees, [index]: { ...tree, root: nodes.store(tree.root) } };
  return [Db.open({ ...root, trees }, nodes), nodes];
}

Deno.test("A database of sound trees has no problem, nor has one with an overlay", () => {
  const { root, nodes } = stored(SCHEMA, FACTS);
  const db = Db.open(root, nodes);
  assert.deepEqual(problemsOf(db, nodes), []);
  const moved = withDatoms(db, [
    { ...fact(3, "id", 2), added: false },
    fact(4, "id", 2, TX0 + 2),
    // The greatest value of another unique attribute.
    fact(5, "zip", 11, TX0 + 2),
  ]);
  assert.deepEqual(problemsOf(moved, nodes), []);
});

Deno.test("A unique value that two entities have is told, in the trees and in the overlay", () => {
  const twice = stored(SCHEMA, [...FACTS, fact(40, "id", 5)]);
  const said = /^AVET has one unique value of two entities: \[6,.*\] and \[40,.*\]$/;
  const [one, ...more] = problemsOf(Db.open(twice.root, twice.nodes), twice.nodes);
  assert.match(one ?? "", said);
  assert.deepEqual(more, []);

  const { root, nodes } = stored(SCHEMA, FACTS);
  const over = withDatoms(Db.open(root, nodes), [fact(40, "id", 5, TX0 + 2)]);
  assert.match(problemsOf(over, nodes).join("\n"), said);
  const before = withDatoms(Db.open(root, nodes), [fact(3, "id", 5, TX0 + 2)]);
  assert.match(problemsOf(before, nodes).join("\n"), /two entities: \[3,.*\] and \[6,.*\]$/);
});

Deno.test("A fact that one index lacks or has in another way is named", () => {
  const changed = FACTS.map((one) => one.e === 4 && one.a === "name" ? fact(4, "name", "x") : one);
  assert.deepEqual(problemsOf(...withTree("aevt", changed)), [
    `AEVT lacks [4,"~:name","n3",${TX0 + 1}], which is in EAVT`,
    `EAVT lacks [4,"~:name","x",${TX0 + 1}], which is in AEVT`,
  ]);
  const indexed = FACTS.filter(({ a }) => a !== "name");
  assert.deepEqual(problemsOf(...withTree("avet", indexed.slice(1))), [
    `AVET lacks [1,"~:id",0,${TX0 + 1}], which is in AEVT`,
  ]);
  assert.deepEqual(problemsOf(...withTree("avet", FACTS)), [
    "AVET holds datoms of :name, which is not indexed",
  ]);
});

Deno.test("AVET need not have what came before its attribute was indexed", () => {
  const late = [
    fact(90, "db/ident", ":late", TX0 + 3),
    fact(90, "db/index", true, TX0 + 3),
  ];
  const schema = schemaOf({ late: { ":db/index": true } });
  const early = fact(1, "late", "x", TX0 + 2);
  const { root, nodes } = stored(schema, [early, ...late]);
  const tree = treeWith("avet", [late[0]].filter((one) => one !== undefined), 4);
  const trees = { ...root.trees, avet: { ...tree, root: nodes.store(tree.root) } };
  assert.deepEqual(problemsOf(Db.open({ ...root, trees }, nodes), nodes), []);
});

Deno.test("AVET may have what an attribute had that was taken away since, as in DataScript", () => {
  const property = [
    fact(90, "db/ident", ":late", TX0 + 2),
    fact(90, "db/index", true, TX0 + 2),
  ];
  const { root, nodes } = stored(SCHEMA, FACTS);
  const made = withDatoms(Db.open(root, nodes), [...property, fact(1, "late", "x", TX0 + 3)]);
  const taken = property.map((one) => ({ ...one, added: false, tx: TX0 + 4 }));
  const gone = withDatoms(made, taken, TX0 + 4);
  assert.deepEqual(problemsOf(folded(gone, nodes), nodes), []);
});

Deno.test("A unique value that two entities have beyond all stored ones is told", () => {
  const { root, nodes } = stored(SCHEMA, FACTS);
  const over = withDatoms(Db.open(root, nodes), [
    fact(40, "zip", 1, TX0 + 2),
    fact(41, "zip", 1, TX0 + 2),
  ]);
  assert.deepEqual(problemsOf(over, nodes), [
    `AVET has one unique value of two entities: [40,"~:zip",1,${TX0 + 2}] and [41,"~:zip",1,${
      TX0 + 2
    }]`,
  ]);
});

Deno.test("A value that two had before it had to be unique is none of these, one that came later is", () => {
  const schema = schemaOf({ late: { ":db/unique": ":db.unique/identity" } });
  const property = [
    fact(90, "db/ident", ":late", TX0 + 1),
    fact(90, "db/unique", ":db.unique/identity", TX0 + 3),
    // What else is said of the attribute doesn't matter.
    fact(90, "name", "late", TX0 + 9),
  ];
  const before = [fact(1, "late", "x", TX0 + 2), fact(2, "late", "x", TX0 + 3)];
  const early = stored(schema, [...property, ...before]);
  assert.deepEqual(problemsOf(Db.open(early.root, early.nodes), early.nodes), []);
  const late = stored(schema, [...property, ...before, fact(3, "late", "x", TX0 + 4)]);
  assert.deepEqual(problemsOf(Db.open(late.root, late.nodes), late.nodes), [
    `AVET has one unique value of two entities: [2,"~:late","x",${TX0 + 3}] and [3,"~:late","x",${
      TX0 + 4
    }]`,
  ]);
});

Deno.test("Nor is one where the attribute became unique in the overlay", () => {
  const { root, nodes } = stored(SCHEMA, FACTS);
  const unique = withDatoms(Db.open(root, nodes), [
    fact(90, "db/ident", ":rank", TX0 + 3),
    fact(90, "db/unique", ":db.unique/identity", TX0 + 3),
  ]);
  assert.deepEqual(problemsOf(unique, nodes), []);
});

Deno.test("A root is told whose max-addr is less than an address, or whose max-eid is that of a transaction", () => {
  const { root, nodes } = stored(SCHEMA, FACTS);
  const said = problemsOf(Db.open({ ...root, maxAddr: 3 }, nodes), nodes);
  const last = Math.max(...Object.values(root.trees).map((tree) => Number(tree.root)));
  assert.deepEqual(said, [`row 0 has a max-addr of 3, and refers to row ${last}`]);
  assert.deepEqual(problemsOf(Db.open({ ...root, maxEid: TX0 }, nodes), nodes), [
    `row 0 has a max-eid of ${TX0}, and the greatest eid is 12`,
  ]);
});

Deno.test("What is said of a transaction is about no eid that counts", () => {
  const { root, nodes } = stored(SCHEMA, [...FACTS, fact(TX0, "name", "the first")]);
  assert.deepEqual(problemsOf(Db.open({ ...root, maxEid: 12 }, nodes), nodes), []);
});

Deno.test("Of a node that is missing whoever drives the walk tells, and nothing of what it held", () => {
  const { root, nodes } = stored(SCHEMA, FACTS);
  for (const { root: top } of Object.values(root.trees)) {
    const gone = nodeAt(nodes, top).children?.[0];
    assert.ok(gone !== undefined);
    const problems: string[] = [];
    const walk = checkDb(
      Db.open(root, nodes),
      { minKeys: 2, maxKeys: 4 },
      (place, what) => void problems.push(`${place} ${what}`),
    );
    const checked = drive(
      walk,
      (refs) => refs.map((ref) => ref === gone ? undefined : nodeAt(nodes, ref)),
    );
    assert.deepEqual([problems, checked.whole], [[], false]);
  }
});

Deno.test("Of many differences some are told, and that there are more", () => {
  const said = problemsOf(...withTree("aevt", FACTS.filter(({ a }) => a !== "name")));
  const lacking = said.filter((one) => one.startsWith("AEVT lacks "));
  assert.ok(lacking.length > 0 && lacking.length < 12, said.join("\n"));
  const more = said.filter((one) => !lacking.includes(one));
  assert.deepEqual(more, ["AEVT and EAVT differ in more datoms than these"]);
});

/** The same database with all of it in the trees. */
function folded(db: Db, nodes: StoredNodes): Db {
  const treeOf = (index: Index): Trees[Index] => {
    const rules = { source: nodes, compare: compareFacts[index], maxKeys: 4 };
    const tree = merge(rules, db.root.trees[index], db.changes(index));
    return { ...tree, root: nodes.store(tree.root) };
  };
  const trees = { eavt: treeOf("eavt"), aevt: treeOf("aevt"), avet: treeOf("avet") };
  const { schema, maxEid, maxTx } = db;
  return Db.open({ ...db.root, trees, schema, maxEid, maxTx }, nodes);
}
