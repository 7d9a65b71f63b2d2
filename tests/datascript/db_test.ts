import assert from "node:assert/strict";
import fc from "fast-check";
import { Datom, TX0 } from "../../datascript/datom.ts";
import { Draft, withDatoms } from "../../datascript/draft.ts";
import { all, INDEXES, ofAttribute, ofEntity, ofValue } from "../../datascript/order.ts";
import { compareValues } from "../../datascript/compare.ts";
import { Uuid, type Value } from "../../datascript/value.ts";
import { attributes, datoms, eids, SCHEMA, someValues } from "../support/arbitrary_datoms.ts";
import { storedDb } from "../support/memory_db.ts";
import { applied, assertHolds, inIndex } from "../support/model.ts";
import { fact, IDENTITY, schemaOf, showValue } from "../support/written.ts";

/** Facts in stored nodes, and what was done to them since. */
const histories = fc.record({
  stored: datoms(TX0 + 1, 60).map((some) => applied([], some)),
  changes: datoms(TX0 + 2, 30),
});

Deno.test("A database with changes over it holds what an array holds, in all indexes", () => {
  fc.assert(
    fc.property(histories, ({ stored, changes }) => {
      const base = storedDb(SCHEMA, stored);
      assertHolds(base, stored);
      let facts = stored;
      let db = base;
      for (const change of changes) {
        db = withDatoms(db, [change]);
        facts = applied(facts, [change]);
        assertHolds(db, facts);
      }
      assertHolds(base, stored);
    }),
    { numRuns: 50 },
  );
});

Deno.test("A stretch of an index is what a filter of all of it leaves", () => {
  fc.assert(
    fc.property(histories, eids, attributes, someValues, ({ stored, changes }, e, a, v) => {
      const db = withDatoms(storedDb(SCHEMA, stored), changes);
      const facts = applied(stored, changes);
      const isV = (other: Value): boolean => compareValues(other, v) === 0;
      const eavt = inIndex("eavt", facts, SCHEMA);
      assert.deepEqual(db.ofEntity(e), eavt.filter((d) => d.e === e));
      assert.deepEqual(db.ofEntity(e, a), eavt.filter((d) => d.e === e && d.a === a));
      assert.deepEqual(
        db.datoms(ofEntity(e, a, v)),
        eavt.filter((d) => d.e === e && d.a === a && isV(d.v)),
      );
      assert.equal(db.value(e, a), eavt.find((d) => d.e === e && d.a === a)?.v);
      assert.deepEqual(
        db.datoms(ofAttribute(a)),
        inIndex("aevt", facts, SCHEMA).filter((d) => d.a === a),
      );
      const holders = inIndex("avet", facts, SCHEMA).filter((d) => d.a === a && isV(d.v));
      assert.deepEqual(db.datoms(ofValue(a, v)), holders);
      assert.deepEqual(db.entitiesWith(a, v), holders.map((d) => d.e));
    }),
    { numRuns: 300 },
  );
});

Deno.test("firstEntityWith is the first of all that have the value, from an entity on", () => {
  const indexed = fc.constantFrom("indexed", "ref/one");
  fc.assert(
    fc.property(
      histories,
      indexed,
      someValues,
      fc.nat({ max: 8 }),
      ({ stored, changes }, a, v, from) => {
        const db = withDatoms(storedDb(SCHEMA, stored), changes);
        const expected = db.entitiesWith(a, v).find((e) => e >= from);
        assert.equal(db.firstEntityWith(a, v, from), expected, `${showValue(v)} from ${from}`);
      },
    ),
    { numRuns: 500 },
  );
});

Deno.test("nextEid leaves out no entity from an eid on", () => {
  fc.assert(
    fc.property(histories, fc.nat({ max: 8 }), ({ stored, changes }, from) => {
      const db = withDatoms(storedDb(SCHEMA, stored), changes);
      const first = db.everything("eavt").find(({ e }) => e >= from)?.e ?? Infinity;
      const next = db.nextEid(from) ?? Infinity;
      assert.ok(from <= next && next <= first, `${next} from ${from}, where ${first} is the first`);
      const touched = [...stored, ...changes].filter(({ e }) => e >= from).map(({ e }) => e);
      assert.ok(next === Infinity || touched.includes(next), `${next} from ${from}`);
    }),
    { numRuns: 300 },
  );
});

Deno.test("Whoever has a value is told from who has another, whatever attributes and uuids are called", () => {
  const schema = schemaOf({ "a": IDENTITY, "a b": IDENTITY });
  const db = storedDb(schema, [fact(1, "a b", new Uuid("c"))]);
  assert.deepEqual([db.holder("a b", new Uuid("c")), db.holder("a", new Uuid("b c"))], [
    1,
    undefined,
  ]);
});

Deno.test("The greatest eid and the last transaction follow, but a transaction is no entity", () => {
  const db = storedDb(SCHEMA, [fact(3, "plain", "x")]);
  assert.equal(db.maxEid, 3);
  const greatestWith = (datom: Datom): number => withDatoms(db, [datom]).maxEid;
  assert.equal(greatestWith(fact(7, "plain", "x")), 7);
  assert.equal(greatestWith(fact(2, "plain", "x")), 3);
  assert.equal(greatestWith(fact(TX0 + 5, "plain", "x")), 3);
  assert.equal(greatestWith(new Datom(9, "plain", "x", TX0, false)), 3);
  const draft = new Draft(db);
  for (const [e, greatest] of [[8, 8], [1, 8], [TX0, 8]] as const) {
    draft.take(e);
    assert.equal(draft.maxEid, greatest);
  }
  assert.equal(db.withMaxTx(TX0 + 9).maxTx, TX0 + 9);
});

Deno.test("A fact that is added again has the transaction that added it last", () => {
  const db = storedDb(SCHEMA, [fact(1, "indexed", "x", TX0 + 1)]);
  const again = withDatoms(db, [fact(1, "indexed", "x", TX0 + 2)]);
  for (const index of INDEXES) {
    assert.deepEqual(again.datoms(all(index)).map((d) => d.tx), [TX0 + 2]);
  }
  assert.equal(again.overlaySize, 1);
});
