/** What a batch of the seed's clients comes to, where the order of its forms makes a difference. */
import assert from "node:assert/strict";
import type { Db } from "../../datascript/db.ts";
import { transact } from "../../datascript/transact.ts";
import { encode } from "../../datascript/transit.ts";
import {
  AMONG_THEMSELVES,
  BESIDE_TODAYS,
  type Practice,
  preparation,
} from "../../logseq/prepare.ts";
import { block, differencesOfMeaning, GRAPH_SCHEMA, ref, uuid } from "../support/blocks.ts";
import { storedDb } from "../support/memory_db.ts";
import { forms, formsOf, value, type Written } from "../support/written.ts";

const MOOD = ":user.property/mood";
const retract = (e: number): Written => [":db.fn/retractEntity", ref(e)];
const unset: Written = [":db/retract", ref(3), MOOD, ref(22)];
const property = (e: number): Written => ({
  ":db/id": e,
  ":block/uuid": uuid(21),
  ":db/ident": MOOD,
  ":db/valueType": ":db.type/ref",
  ":db/cardinality": ":db.cardinality/one",
});

/** The property is older than the block that has it, and so comes first in what the device sends. */
function inUse(): Db {
  const made = transact(storedDb(GRAPH_SCHEMA, block(1, {})), forms(property(-1))).after;
  const blocks = [3, 22].map((e): Written => ({ ":db/id": -e, ":block/uuid": uuid(e) }));
  const db = transact(made, forms(...blocks)).after;
  return transact(db, forms([":db/add", ref(3), MOOD, ref(22)])).after;
}

const BATCHES: Readonly<Record<string, readonly Written[]>> = {
  "with its value": [retract(21), unset, retract(22)],
  "with its value, which the device doesn't unset": [retract(21), retract(22)],
  "after its value": [unset, retract(22), retract(21)],
  "and its value stays, as a page does": [retract(21), unset],
};

const PRACTICES = { AMONG_THEMSELVES, BESIDE_TODAYS };

/** What a batch comes to, which is also what a device comes to that follows by its entry. */
function outcomeOf(
  before: () => Db,
  practice: Practice | undefined,
  batch: readonly Written[],
): Db {
  const prepared = preparation(before(), forms(...batch), practice)();
  assert.ok(prepared.ok);
  const replica = transact(before(), formsOf([encode(prepared.entry)]));
  assert.deepEqual(differencesOfMeaning(replica.after, prepared.report.after), []);
  return prepared.report.after;
}

function moodsIn(db: Db): readonly unknown[] {
  const had = db.holder("block/uuid", value(uuid(3)));
  assert.ok(had !== undefined);
  return db.ofEntity(had, "user.property/mood");
}

for (const [how, written] of Object.entries(BATCHES)) {
  Deno.test(`Beside today's clients a property in use that is deleted ${how} leaves no number behind`, () => {
    assert.deepEqual(moodsIn(outcomeOf(inUse, BESIDE_TODAYS, written)), []);
  });

  Deno.test(`Among the seed's a property in use that is deleted ${how} leaves what DataScript leaves, on all devices`, () => {
    const left = moodsIn(transact(inUse(), forms(...written)).after);
    assert.deepEqual(moodsIn(outcomeOf(inUse, AMONG_THEMSELVES, written)), left);
  });
}

for (const [name, practice] of Object.entries(PRACTICES)) {
  Deno.test(`A property in use that a batch deletes and makes anew keeps its new value: ${name}`, () => {
    const set: Written = [":db/add", ref(3), MOOD, ref(1)];
    const after = outcomeOf(inUse, practice, [retract(21), unset, property(-5), set]);
    assert.equal(after.schema.isRef("user.property/mood"), true);
    assert.equal(moodsIn(after).length, 1);
  });
}

/** A page with a block, in which another device has put a block that has one below it. */
function withOthers(): Db {
  return storedDb(GRAPH_SCHEMA, [
    ...block(1, { "block/name": "page" }),
    ...block(2, { "block/parent": 1 }),
    ...block(3, { "block/parent": 2 }),
    ...block(4, { "block/parent": 3 }),
  ]);
}

interface Left {
  readonly said: readonly Written[];
  readonly left: readonly number[];
}

const LEFT: Readonly<Record<string, Left>> = {
  "goes with it": { said: [], left: [1] },
  "goes with it, whatever else is said of it": {
    said: [[":db/add", ref(3), ":block/title", "x"]],
    left: [1],
  },
  "stays where it is moved": {
    said: [[":db/add", ref(3), ":block/parent", ref(1)]],
    left: [1, 3, 4],
  },
  "stays where it becomes a page": {
    said: [[":db/retract", ref(3), ":block/parent", ref(2)]],
    left: [1, 3, 4],
  },
};

for (const [how, { said, left }] of Object.entries(LEFT)) {
  Deno.test(`Beside today's clients what is below a block that a batch deletes ${how}`, () => {
    for (const batch of [[...said, retract(2)], [retract(2), ...said]]) {
      const after = outcomeOf(withOthers, BESIDE_TODAYS, batch);
      assert.deepEqual([1, 2, 3, 4].filter((e) => after.ofEntity(e).length > 0), left);
    }
  });
}

Deno.test("Among the seed's a batch deletes what it says, and nothing below", () => {
  for (const practice of [AMONG_THEMSELVES, undefined]) {
    const after = outcomeOf(withOthers, practice, [retract(2)]);
    assert.deepEqual([1, 2, 3, 4].filter((e) => after.ofEntity(e).length > 0), [1, 3, 4]);
    assert.equal(after.value(3, "block/parent"), undefined);
  }
});

Deno.test("Beside today's clients a batch that makes a block, takes it back and makes it anew tells of no end", () => {
  const make = (e: number): Written => ({ ":db/id": e, ":block/uuid": uuid(30) });
  const prepared = preparation(
    storedDb(GRAPH_SCHEMA, block(1, {})),
    forms(make(-1), retract(30), make(-2)),
    BESIDE_TODAYS,
  )();
  assert.ok(prepared.ok);
  const told = [...prepared.entry.items].map((form) => encode(form));
  assert.equal(told.length, 1);
  assert.ok(!told.some((form) => form.includes("retractEntity")), told.join());
});
