import assert from "node:assert/strict";
import fc from "fast-check";
import { generateNKeysBetween } from "fractional-indexing";
import type { Datom } from "../../datascript/datom.ts";
import type { Db } from "../../datascript/db.ts";
import { prepareBatch } from "../support/prepare.ts";
import { block, GRAPH_SCHEMA, ref, uuid } from "../support/blocks.ts";
import { storedDb } from "../support/memory_db.ts";
import { forms, schemaOf, show, type Written } from "../support/written.ts";

/** Two pages; children of the first at a0, a1 and a2, of the second at a1. */
const BASE: readonly Datom[] = [
  ...block(1, { "block/title": "page" }),
  ...block(2, { "block/title": "other page" }),
  ...block(3, { "block/parent": 1, "block/order": "a0" }),
  ...block(4, { "block/parent": 1, "block/order": "a1" }),
  ...block(5, { "block/parent": 1, "block/order": "a2" }),
  ...block(6, { "block/parent": 2, "block/order": "a1" }),
];

function after(db: Db, batch: readonly Written[]): Db {
  const prepared = prepareBatch(db, forms(...batch));
  assert.ok(prepared.ok);
  return prepared.report.after;
}

/** `eid order` of the children of a parent, by order. */
function children(db: Db, parent: number): readonly string[] {
  return db.entitiesWith("block/parent", parent)
    .map((e) => ({ e, order: String(db.value(e, "block/order")) }))
    .sort((x, y) => x.order < y.order ? -1 : 1)
    .map(({ e, order }) => `${e} ${order}`);
}

const newBlock = (id: number, parent: number, order: string): Written => ({
  ":db/id": id,
  ":block/uuid": uuid(100 - id),
  ":block/parent": ref(parent),
  ":block/order": order,
});

const set = (e: number, order: string): Written => [":db/add", ref(e), ":block/order", order];
const move = (
  e: number,
  parent: number,
): Written => [":db/add", ref(e), ":block/parent", ref(parent)];

const CASES: readonly (readonly [title: string, batch: Written[], children: string[]])[] = [
  ["An order that nobody has stays", [set(5, "a3")], ["3 a0", "4 a1", "5 a3"]],
  [
    "A block that takes the order of a sibling gets one between that and the next",
    [set(3, "a1")],
    ["4 a1", "3 a1V", "5 a2"],
  ],
  [
    "Blocks that get one order get theirs by ascending eid",
    [set(5, "a3"), set(3, "a3")],
    ["4 a1", "3 a4", "5 a5"],
  ],
  [
    "A new block too",
    [newBlock(-1, 1, "a1")],
    ["3 a0", "4 a1", "7 a1V", "5 a2"],
  ],
  ["One behind the last child gets one at the end", [newBlock(-1, 1, "a2")], [
    "3 a0",
    "4 a1",
    "5 a2",
    "7 a3",
  ]],
  [
    "Two blocks of a batch with one order that is free both get another, by eid",
    [newBlock(-1, 1, "a1K"), newBlock(-2, 1, "a1K")],
    ["3 a0", "4 a1", "7 a1V", "8 a1f", "5 a2"],
  ],
  [
    "Two blocks of a batch with the order of a sibling get one each, by eid",
    [set(4, "a0"), set(5, "a0")],
    ["3 a0", "4 a1", "5 a2"],
  ],
  [
    "A block that moves to another parent with its order set there gives way there",
    [move(6, 1), set(6, "a0")],
    ["3 a0", "6 a0V", "4 a1", "5 a2"],
  ],
  ["The order of another parent's child is no hindrance", [newBlock(-1, 2, "a0"), set(3, "a0")], [
    "3 a0",
    "4 a1",
    "5 a2",
  ]],
  ["An order set to what it is stays", [set(4, "a1")], ["3 a0", "4 a1", "5 a2"]],
  ["An order that its holder gives up in the batch is free", [set(4, "a4"), set(3, "a1")], [
    "3 a1",
    "5 a2",
    "4 a4",
  ]],
  [
    "An order that is no fractional index stays as it came",
    [set(3, "~"), set(4, "~")],
    ["5 a2", "3 ~", "4 ~"],
  ],
];

for (const [title, batch, expected] of CASES) {
  Deno.test(title, () => {
    assert.deepEqual(children(after(storedDb(GRAPH_SCHEMA, BASE), batch), 1), expected);
  });
}

Deno.test("A block without a parent keeps whatever order is set", () => {
  const db = storedDb(GRAPH_SCHEMA, BASE);
  assert.equal(after(db, [set(1, "a1")]).value(1, "block/order"), "a1");
});

Deno.test("The log tells the order that is, not the one that was asked for alone", () => {
  const prepared = prepareBatch(storedDb(GRAPH_SCHEMA, BASE), forms(set(3, "a1")));
  assert.ok(prepared.ok);
  assert.deepEqual(prepared.report.datoms.map(show), [
    '-3 :block/order "a0"',
    '+3 :block/order "a1"',
    '-3 :block/order "a1"',
    '+3 :block/order "a1V"',
  ]);
});

Deno.test("Where parents are not indexed nothing is known of siblings, and orders stay", () => {
  const plain = schemaOf({ "block/uuid": { ":db/unique": ":db.unique/identity" } });
  const db = storedDb(plain, BASE);
  const there = after(db, [set(3, "a1")]);
  assert.equal(there.value(3, "block/order"), "a1");
});

Deno.test("Where orders are not indexed they are repaired all the same", () => {
  const db = storedDb(
    schemaOf({
      "block/uuid": { ":db/unique": ":db.unique/identity" },
      "block/parent": { ":db/valueType": ":db.type/ref" },
    }),
    BASE,
  );
  assert.deepEqual(children(after(db, [set(3, "a1")]), 1), ["4 a1", "3 a1V", "5 a2"]);
  assert.deepEqual(children(after(db, [set(3, "a3")]), 1), ["4 a1", "5 a2", "3 a3"]);
});

Deno.test("An order that a batch doesn't set stays, though a sibling has it too", () => {
  const db = storedDb(GRAPH_SCHEMA, [
    ...BASE,
    ...block(7, { "block/parent": 1, "block/order": "a1" }),
  ]);
  const there = after(db, [[":db/add", ref(7), ":block/title", "x"]]);
  assert.equal(there.value(7, "block/order"), "a1");
});

Deno.test("After any batch no order that it set is taken, and each lies where it was asked to", () => {
  const keys = generateNKeysBetween(null, null, 12);
  const orders = fc.constantFrom(...keys);
  const batch = fc.array(
    fc.oneof(
      fc.tuple(fc.integer({ min: 3, max: 6 }), fc.constantFrom(1, 2), orders)
        .map(([e, parent, order]) => [move(e, parent), set(e, order)]),
      fc.tuple(fc.integer({ min: -5, max: -1 }), fc.constantFrom(1, 2), orders)
        .map(([id, parent, order]) => [newBlock(id, parent, order)]),
    ),
    { minLength: 1, maxLength: 8 },
  ).map((parts) => parts.flat());
  fc.assert(
    fc.property(batch, (all) => {
      const db = storedDb(GRAPH_SCHEMA, BASE);
      const result = prepareBatch(db, forms(...all));
      assert.ok(result.ok);
      const { report } = result;
      const changed = new Set(report.datoms.filter((d) => d.a === "block/order").map((d) => d.e));
      for (const parent of [1, 2]) {
        const siblings = report.after.entitiesWith("block/parent", parent);
        const orderOf = (e: number): string => String(report.after.value(e, "block/order"));
        for (const e of siblings.filter((one) => changed.has(one))) {
          const own = orderOf(e);
          assert.deepEqual(siblings.filter((other) => orderOf(other) === own), [e]);
          const asked = report.datoms.filter((d) => d.e === e && d.a === "block/order" && d.added)
            .map((d) => String(d.v)).findLast((v) => keys.includes(v)) ?? own;
          if (asked === own) continue;
          assert.ok(asked < own, `${asked} was asked, ${own} is behind it`);
          const next = siblings.filter((other) => !changed.has(other)).map(orderOf)
            .filter((order) => order > asked).sort()[0];
          assert.ok(next === undefined || own < next, `${own} is before ${next}`);
        }
      }
    }),
    { numRuns: 300 },
  );
});

Deno.test("So are thousands, without a look at all siblings for each", () => {
  const count = 10_000;
  const db = storedDb(
    schemaOf({
      "block/uuid": { ":db/unique": ":db.unique/identity" },
      "block/parent": { ":db/valueType": ":db.type/ref", ":db/index": true },
      "block/order": {},
    }),
    BASE,
  );
  const batch = Array.from({ length: count }, (_, i) => newBlock(-1 - i, 1, `b${i}`));
  const prepared = prepareBatch(db, forms(...batch, newBlock(-1 - count, 1, "a1")));
  assert.ok(prepared.ok);
  const orders = children(prepared.report.after, 1).map((text) => text.split(" ")[1]);
  assert.equal(orders.length, 3 + count + 1);
  assert.equal(new Set(orders).size, orders.length);
});
