import assert from "node:assert/strict";
import { Db } from "../../datascript/db.ts";
import { TX0 } from "../../datascript/datom.ts";
import { TransactError } from "../../datascript/errors.ts";
import { missingNodes } from "../../datascript/prefetch.ts";
import { NodeMissing } from "../../datascript/source.ts";
import { transact } from "../../datascript/transact.ts";
import { LOGSEQ_SCHEMA } from "../../logseq/schema.ts";
import { LazyNodes, stored } from "../support/memory_db.ts";
import { fact, forms, type Written } from "../support/written.ts";

const uuid = (e: number): string => `#u00000000-0000-4000-8000-${String(e).padStart(12, "0")}`;

/** A hundred blocks, each below the one before it. */
const GRAPH = stored(
  LOGSEQ_SCHEMA,
  Array.from({ length: 100 }, (_, i) => i + 1).flatMap((e) => [
    fact(e, "block/uuid", uuid(e), TX0 + 1),
    fact(e, "block/title", `block ${e}`, TX0 + 1),
    ...e > 1 ? [fact(e, "block/parent", e - 1, TX0 + 1)] : [],
  ]),
);

const FORMS: Readonly<Record<string, Written>> = {
  "an eid": [":db/add", 7, ":block/title", "x"],
  "a lookup ref": [":db/add", [":block/uuid", uuid(70)], ":block/title", "x"],
  "a lookup ref as the value of an attribute of many values": [
    ":db/add",
    [":block/uuid", uuid(3)],
    ":block/tags",
    [":block/uuid", uuid(55)],
  ],
  "lookup refs in a map": {
    ":block/uuid": uuid(12),
    ":block/parent": [":block/uuid", uuid(90)],
    ":block/tags": [[":block/uuid", uuid(20)], [":block/uuid", uuid(40)]],
  },
  "one lookup ref in a map, for an attribute of many values": {
    ":block/uuid": uuid(33),
    ":block/tags": [":block/uuid", uuid(66)],
  },
  "an entity that goes, and who refers to it": [":db/retractEntity", [":block/uuid", uuid(50)]],
};

/** Loads what is named, until nothing is; it must throw nothing itself. */
function untilNoneMissing(lazy: LazyNodes, named: () => ReadonlySet<number>): void {
  for (let missing = named(); missing.size > 0; missing = named()) {
    let isLoaded = false;
    lazy.untilDone(() => {
      if (isLoaded) return;
      isLoaded = true;
      throw new NodeMissing([...missing]);
    });
  }
}

for (const [what, form] of Object.entries(FORMS)) {
  Deno.test(`All nodes that a form needs are named before it is transacted: ${what}`, () => {
    const lazy = new LazyNodes(GRAPH.nodes);
    const db = Db.open(GRAPH.root, lazy);
    const parsed = forms(form);
    assert.throws(() => transact(db, parsed), NodeMissing);
    untilNoneMissing(lazy, () => missingNodes(db, parsed));
    assert.ok(transact(db, parsed).datoms.length > 0);
  });
}

Deno.test("Nodes are named by which others are found that have a value, where they will be looked for", () => {
  const ordered = stored(
    LOGSEQ_SCHEMA,
    Array.from({ length: 100 }, (_, i) => i + 1).flatMap((e) => [
      fact(e, "block/uuid", uuid(e), TX0 + 1),
      fact(e, "block/order", `a${e % 10}`, TX0 + 1),
    ]),
  );
  const parsed = forms([":db/add", 7, ":block/order", "a3"]);
  const found = (sought: readonly string[]): number | undefined => {
    const lazy = new LazyNodes(ordered.nodes);
    const db = Db.open(ordered.root, lazy);
    untilNoneMissing(lazy, () => missingNodes(db, parsed, sought));
    return db.firstEntityWith("block/order", "a3", 0);
  };
  assert.equal(found(["block/order"]), 3);
  assert.throws(() => found([]), NodeMissing);
});

Deno.test("What is wrong with a form is for the transaction to say: nodes are named all the same", () => {
  const lazy = new LazyNodes(GRAPH.nodes);
  const db = Db.open(GRAPH.root, lazy);
  const wrong = forms(
    [":db/add", 7, ":block/parent", 1.5],
    [":db/add", [":block/title", "block 3"], ":block/title", "x"],
  );
  untilNoneMissing(lazy, () => missingNodes(db, wrong));
  assert.ok(db.ofEntity(7).length > 0);
  assert.throws(() => transact(db, wrong), TransactError);
});
