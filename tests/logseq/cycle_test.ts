import assert from "node:assert/strict";
import type { Datom } from "../../datascript/datom.ts";
import { equal } from "../../datascript/value.ts";
import { encode } from "../../datascript/transit.ts";
import { MapValue } from "../../datascript/value.ts";
import { prepareBatch } from "../support/prepare.ts";
import { block, GRAPH_SCHEMA, ref, uuid } from "../support/blocks.ts";
import { storedDb } from "../support/memory_db.ts";
import { assertHolds } from "../support/model.ts";
import { fact, forms, value, type Written } from "../support/written.ts";

const EXTENDS = ":logseq.property.class/extends";

/** 1 ← 2 ← 3 ← 4 by parent; classes :class/a ← :class/b ← :class/c, and :class/d by itself. */
const BASE: readonly Datom[] = [
  ...block(1, {}),
  ...block(2, { "block/parent": 1 }),
  ...block(3, { "block/parent": 2 }),
  ...block(4, { "block/parent": 3 }),
  ...block(11, { "db/ident": ":class/a" }),
  ...block(12, { "db/ident": ":class/b", "logseq.property.class/extends": 11 }),
  ...block(13, { "db/ident": ":class/c", "logseq.property.class/extends": 12 }),
  ...block(14, { "db/ident": ":class/d" }),
  fact(20, "db/ident", ":class/bare"),
  ...block(21, { "block/parent": 20, "logseq.property.class/extends": 1 }),
];

const under = (e: number, parent: number): Written => [
  ":db/add",
  ref(e),
  ":block/parent",
  ref(parent),
];
const extend = (e: number, ident: string): Written => [":db/add", ref(e), EXTENDS, ident];

type Values = readonly (readonly [e: number, value: Written])[];

const LOOPS: readonly (readonly [what: string, batch: Written[], a: string, values: Values])[] = [
  ["A block under itself", [under(2, 2)], ":block/parent", [[2, ref(1)]]],
  ["A block under its child", [under(2, 3)], ":block/parent", [[2, ref(1)]]],
  ["A page under its grandchild", [under(1, 4)], ":block/parent", [[1, null]]],
  ["Two blocks under each other, by one batch", [under(2, 3), under(3, 2)], ":block/parent", [
    [2, ref(1)],
  ]],
  [
    "A block under a new one that is under it",
    [{ ":db/id": -1, ":block/uuid": uuid(30), ":block/parent": ref(3) }, [
      ":db/add",
      ref(2),
      ":block/parent",
      -1,
    ]],
    ":block/parent",
    [[30, null], [2, ref(1)]],
  ],
  [
    "A new block under itself",
    [{ ":db/id": -1, ":block/uuid": uuid(30), ":block/parent": -1 }],
    ":block/parent",
    [[30, null]],
  ],
  [
    "A loop, and a block elsewhere that the batch sets too",
    [under(2, 4), { ":db/id": -1, ":block/uuid": uuid(30), ":block/parent": ref(1) }],
    ":block/parent",
    [[2, ref(1)], [30, null]],
  ],
  ["A block whose parent had no uuid", [under(21, 21)], ":block/parent", [[21, null]]],
  [
    "A block that loses its uuid",
    [under(2, 3), [":db/retract", 2, ":block/uuid", uuid(2)]],
    ":block/parent",
    [[2, ref(1)]],
  ],
  ["A class that extended what has no ident", [[":db/add", ref(21), EXTENDS, ref(21)]], EXTENDS, [[
    21,
    null,
  ]]],
  [
    "A loop, and a class elsewhere that extends one less",
    [[":db/retract", ref(13), EXTENDS, ":class/b"], extend(14, ":class/d")],
    EXTENDS,
    [[14, null]],
  ],
  ["A class that extends itself", [extend(14, ":class/d")], EXTENDS, [[14, null]]],
  ["A class that extends what extends it", [extend(11, ":class/b")], EXTENDS, [[11, null]]],
  ["A class in a loop of three", [extend(11, ":class/c")], EXTENDS, [[11, null]]],
  [
    "A class in a loop by the second of what it extends",
    [extend(12, ":class/d"), extend(14, ":class/c")],
    EXTENDS,
    [[12, ":class/a"], [14, null]],
  ],
  [
    "Loops of both kinds, the one of blocks",
    [extend(11, ":class/b"), under(2, 2)],
    ":block/parent",
    [
      [2, ref(1)],
    ],
  ],
];

for (const [what, batch, a, values] of LOOPS) {
  Deno.test(`${what} is a cycle, answered with the values before the batch`, () => {
    const db = storedDb(GRAPH_SCHEMA, BASE);
    const prepared = prepareBatch(db, forms(...batch));
    assert.ok(!prepared.ok);
    const expected = new MapValue([
      [value(":attr"), value(a)],
      [
        value(":server_values"),
        new MapValue(values.map(([e, v]) => [value(ref(e)), value(v)])),
      ],
    ]);
    assert.ok(equal(prepared.cycle, expected), encode(prepared.cycle));
    assertHolds(db, BASE);
  });
}

Deno.test("What a class extends is several values where it extended several", () => {
  const db = storedDb(GRAPH_SCHEMA, [...BASE, fact(13, "logseq.property.class/extends", 14)]);
  const prepared = prepareBatch(
    db,
    forms(extend(13, ":class/bare"), [":db/add", ":class/bare", EXTENDS, ":class/c"]),
  );
  assert.ok(!prepared.ok);
  const values = prepared.cycle.get("server_values");
  assert.ok(values instanceof MapValue);
  // A class without a uuid has no name that the client would know.
  assert.deepEqual(values.entries, [[value(ref(13)), [value(":class/b"), value(":class/d")]]]);
});

const SOUND: Readonly<Record<string, Written[]>> = {
  "A move up": [under(4, 1)],
  "Two blocks that change places": [under(3, 1), under(2, 3)],
  "A loop that the batch itself opens again": [under(2, 4), under(2, 1)],
  "A loop by an attribute that may have loops": [[":db/add", ref(2), ":block/link", ref(2)]],
  "Two ways up to one class": [
    extend(13, ":class/a"),
    extend(13, ":class/d"),
    extend(
      14,
      ":class/a",
    ),
  ],
};

for (const [what, batch] of Object.entries(SOUND)) {
  Deno.test(`${what} is no cycle`, () => {
    assert.ok(prepareBatch(storedDb(GRAPH_SCHEMA, BASE), forms(...batch)).ok);
  });
}

Deno.test("A loop that was there before does not hinder batches elsewhere", () => {
  const db = storedDb(GRAPH_SCHEMA, [
    ...BASE,
    ...block(8, { "block/parent": 9 }),
    ...block(9, { "block/parent": 8 }),
  ]);
  assert.ok(prepareBatch(db, forms(under(4, 1))).ok);
  assert.ok(prepareBatch(db, forms(under(4, 8))).ok);
});
