import assert from "node:assert/strict";
import { Db } from "../../datascript/db.ts";
import { TX0 } from "../../datascript/datom.ts";
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

for (const [what, form] of Object.entries(FORMS)) {
  Deno.test(`All nodes that a form needs are named before it is transacted: ${what}`, () => {
    const lazy = new LazyNodes(GRAPH.nodes);
    const db = Db.open(GRAPH.root, lazy);
    const parsed = forms(form);
    assert.throws(() => transact(db, parsed), NodeMissing);
    lazy.untilDone(() => {
      const missing = missingNodes(db, parsed);
      if (missing.size > 0) throw new NodeMissing([...missing]);
    });
    assert.ok(transact(db, parsed).datoms.length > 0);
  });
}
