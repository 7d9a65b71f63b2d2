import assert from "node:assert/strict";
import { type Datom, decodeDatom, TX0 } from "../../datascript/datom.ts";
import { CorruptRowError } from "../../datascript/errors.ts";
import { decodeNode, encodeNode } from "../../datascript/node.ts";
import { compareDatoms, compareFacts, INDEXES } from "../../datascript/order.ts";
import {
  decodeRoot,
  decodeTail,
  decodeTailTx,
  encodeRoot,
  encodeTailTx,
  openDb,
  withTailTx,
} from "../../datascript/root.ts";
import { decode, TransitError } from "../../datascript/transit.ts";
import { equal } from "../../datascript/value.ts";
import { readDatoms, readRows } from "../support/fixtures.ts";
import { FixtureNodes, storedDb } from "../support/memory_db.ts";
import { differences } from "../support/model.ts";
import { fact, schemaOf } from "../support/written.ts";
import { checkTree } from "../support/tree.ts";

const SETS = ["small-a", "medium-a", "variety-small", "variety-medium"];

for (const set of SETS) {
  Deno.test(`The rows of ${set} open as the datoms recorded`, () => {
    const nodes = new FixtureNodes(set);
    const db = openDb(nodes.root, nodes.tail, nodes);
    const recorded = readDatoms(set, "datoms").map((line) => decodeDatom(decode(line)));
    assert.deepEqual(differences(db.everything("eavt"), recorded), []);
    assert.deepEqual(
      differences(db.everything("aevt"), recorded.toSorted(compareDatoms.aevt)),
      [],
    );
    // Attributes that were indexed after they had datoms keep these out of AVET: DataScript does not
    // index again.
    const avet = db.everything("avet");
    assert.deepEqual(differences(avet, avet.toSorted(compareDatoms.avet)), []);
    const indexed = recorded.filter(({ a }) => db.schema.isIndexed(a));
    const held = new Set(indexed.map(({ e, a, tx }) => `${e} ${a} ${tx}`));
    assert.deepEqual(avet.filter(({ e, a, tx }) => !held.has(`${e} ${a} ${tx}`)), []);
    assert.ok(avet.length > indexed.length - 20 && avet.length <= indexed.length);
    assert.equal(db.maxEid, Math.max(...recorded.map(({ e }) => e)));
    assert.ok(recorded.every(({ tx }) => tx <= db.maxTx));
  });

  Deno.test(`The stored trees of ${set} are sound, and count their datoms`, () => {
    const nodes = new FixtureNodes(set);
    const { trees } = decodeRoot(nodes.root);
    for (const index of INDEXES) {
      const edit = { source: nodes, compare: compareDatoms[index], maxKeys: 32 };
      assert.deepEqual(checkTree(edit, trees[index]), [], index);
    }
  });

  Deno.test(`The root of ${set} is the same after encode and decode`, () => {
    const { root: content } = new FixtureNodes(set);
    const root = decodeRoot(content);
    const { eavt, aevt, avet } = root.trees;
    const address = (ref: unknown): number => {
      assert.ok(typeof ref === "number");
      return ref;
    };
    const addresses = {
      eavt: address(eavt.root),
      aevt: address(aevt.root),
      avet: address(avet.root),
    };
    const text = encodeRoot(root, addresses);
    assert.ok(equal(decode(text), decode(content)), text);
  });
}

Deno.test("The nodes of a graph are the same after encode and decode", () => {
  let branches = 0;
  for (const [addr, content, addresses] of readRows("variety-small")) {
    if (addr <= 1) continue;
    const node = decodeNode({ content, addresses });
    const children = node.children?.filter((child) => typeof child === "number");
    const row = encodeNode(node.keys, children);
    assert.ok(equal(decode(row.content), decode(content)), content);
    assert.deepEqual(decodeNode(row), node);
    if (children !== undefined) branches++;
  }
  assert.ok(branches > 0);
});

Deno.test("A tail is applied in its order: what one transaction adds the next takes away", () => {
  const db = storedDb(schemaOf({ "x": { ":db/index": true } }), [fact(1, "x", "a")]);
  const tail = decodeTail(
    `[[[1,"~:x","a",${-(TX0 + 2)}],[1,"~:x","b",${
      TX0 + 2
    }]],[],[[1,"~:x","b",${-(TX0 + 3)}],[2,"~:x","a",${TX0 + 3}]]]`,
  );
  const after = tail.reduce(withTailTx, db);
  assert.deepEqual(after.everything("avet"), [fact(2, "x", "a", TX0 + 3)]);
  assert.deepEqual([after.maxTx, after.maxEid], [TX0 + 3, 2]);
  assert.deepEqual(db.everything("eavt"), [fact(1, "x", "a")]);
});

Deno.test("The datoms of a transaction are the same after encode and decode", () => {
  const tx: readonly Datom[] = decodeTailTx(`[[1,"~:x",["^ ","~:a",1],5],[1,"~:x","~:k",-5]]`);
  assert.deepEqual(tx.map(({ added }) => added), [true, false]);
  assert.deepEqual(decodeTailTx(encodeTailTx(tx)), tx);
});

const [ROOT = ""] = readRows("variety-small").map(([, content]) => content);

const CORRUPT: Readonly<Record<string, () => unknown>> = {
  "A root that is no map": () => decodeRoot("[]"),
  "A root without anything": () => decodeRoot('["^ "]'),
  "A root without a schema": () => decodeRoot(ROOT.replace("~:schema", "~:sch")),
  "A root without max-eid": () => decodeRoot(ROOT.replace("~:max-eid", "~:max-e")),
  "A root with a max-tx that is no integer": () =>
    decodeRoot(ROOT.replace(/"~:max-tx",\d+/, '"~:max-tx","7"')),
  "A root with a max-tx below zero": () =>
    decodeRoot(ROOT.replace(/"~:max-tx",\d+/, '"~:max-tx",-1')),
  "A root without an index": () => decodeRoot(ROOT.replace('"~:avet",', '"~:x",')),
  "A root without an index's metadata": () => decodeRoot(ROOT.replace("~:eavt-metadata", "~:m")),
  "A tail that is no vector": () => decodeTail('["^ "]'),
  "A transaction of a tail that is no vector": () => decodeTail("[1]"),
  "A datom that is no vector": () => decodeTail("[[1]]"),
  "A datom without a transaction": () => decodeTailTx('[[1,"~:a",1]]'),
  "A datom of nil": () => decodeTailTx('[[1,"~:a",null,5]]'),
  "A datom of a string for an attribute": () => decodeTailTx('[[1,"a",1,5]]'),
  "A node that is no map": () => decodeNode({ content: "[]", addresses: null }),
  "A node without keys": () => decodeNode({ content: '["^ "]', addresses: null }),
  "A branch with fewer addresses than keys": () =>
    decodeNode({ content: '["^ ","~:keys",[[1,"~:a",1,5]]]', addresses: "[]" }),
  "A branch without keys": () => decodeNode({ content: '["^ ","~:keys",[]]', addresses: "[]" }),
  "A branch whose addresses are not JSON": () =>
    decodeNode({ content: '["^ ","~:keys",[[1,"~:a",1,5]]]', addresses: "[" }),
  "A branch whose addresses are no integers": () =>
    decodeNode({ content: '["^ ","~:keys",[[1,"~:a",1,5]]]', addresses: '["7"]' }),
};

for (const [what, read] of Object.entries(CORRUPT)) {
  Deno.test(`${what} is a corrupt row`, () => {
    assert.throws(read, CorruptRowError);
  });
}

Deno.test("A row that is no Transit is told as such", () => {
  for (const read of [decodeRoot, decodeTail, decodeTailTx]) {
    assert.throws(() => read("[1"), TransitError);
  }
  assert.throws(() => decodeNode({ content: '["^5"]', addresses: null }), TransitError);
});

Deno.test("A retraction equals the fact it takes away, whatever their transactions", () => {
  const [added, gone] = decodeTailTx('[[1,"~:a","x",5],[1,"~:a","x",-9]]');
  assert.ok(added !== undefined && gone !== undefined);
  for (const index of INDEXES) assert.equal(compareFacts[index](added, gone), 0);
});
