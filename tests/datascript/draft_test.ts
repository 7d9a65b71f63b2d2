import assert from "node:assert/strict";
import fc from "fast-check";
import { compareValues } from "../../datascript/compare.ts";
import { Datom, TX0 } from "../../datascript/datom.ts";
import { Draft, rebased, withDatoms } from "../../datascript/draft.ts";
import { ofValue } from "../../datascript/order.ts";
import { attributes, datoms, eids, SCHEMA, someValues } from "../support/arbitrary_datoms.ts";
import { emptyDb, stored, storedDb } from "../support/memory_db.ts";
import { applied, assertHolds, inIndex } from "../support/model.ts";
import { fact, show } from "../support/written.ts";

/** What is asked of an entity after each change. */
const questions = fc.tuple(eids, attributes, someValues);

Deno.test("A draft tells after each change what an array tells, whatever was asked before", () => {
  fc.assert(
    fc.property(
      datoms(TX0 + 1, 40),
      datoms(TX0 + 2, 20),
      fc.array(fc.tuple(datoms(TX0 + 3, 3), questions), { maxLength: 20, size: "max" }),
      (old, first, steps) => {
        let facts = applied(applied([], old), first);
        const base = new Draft(storedDb(SCHEMA, applied([], old)));
        for (const datom of first) base.apply(datom);
        const draft = new Draft(base.done(TX0 + 2));
        for (const [changes, [e, a, v]] of steps) {
          for (const datom of changes) draft.apply(datom);
          facts = applied(facts, changes);
          const mine = inIndex("eavt", facts, SCHEMA).filter((datom) => datom.e === e);
          const same = (datom: Datom): boolean => datom.a === a && compareValues(datom.v, v) === 0;
          assert.deepEqual(draft.ofEntity(e), mine);
          assert.deepEqual(draft.ofEntity(e, a), mine.filter((datom) => datom.a === a));
          assert.deepEqual(draft.first(e, a, v), mine.find(same));
          const avet = inIndex("avet", facts, SCHEMA);
          const indexed = a === "plain" ? "indexed" : a;
          assert.deepEqual(
            draft.datoms(ofValue(indexed, v)),
            avet.filter((datom) => datom.a === indexed && compareValues(datom.v, v) === 0),
          );
          assert.deepEqual(
            draft.references(e),
            avet.filter((datom) => datom.a === "ref/one" && datom.v === e),
          );
        }
        assertHolds(draft.done(TX0 + 3), facts);
      },
    ),
    { numRuns: 200 },
  );
});

Deno.test("A database stays as it is, whatever becomes of drafts of it and of the draft that made it", () => {
  fc.assert(
    fc.property(
      datoms(TX0 + 1, 60),
      datoms(TX0 + 2, 60),
      datoms(TX0 + 3, 60),
      (one, two, three) => {
        const before = emptyDb(SCHEMA);
        const draft = new Draft(before);
        for (const datom of one) draft.apply(datom);
        const made = draft.done(TX0 + 1);
        const other = new Draft(made);
        for (const datom of two) draft.apply(datom);
        for (const datom of three) other.apply(datom);
        const facts = applied([], one);
        assertHolds(before, []);
        assertHolds(made, facts);
        assertHolds(draft.done(TX0 + 2), applied(facts, two));
        assertHolds(other.done(TX0 + 3), applied(facts, three));
      },
    ),
    { numRuns: 100 },
  );
});

Deno.test("A database on trees that hold what it was before tells what it told", () => {
  fc.assert(
    fc.property(
      datoms(TX0 + 1, 60),
      datoms(TX0 + 2, 40),
      datoms(TX0 + 3, 40),
      (one, two, three) => {
        const before = applied([], one);
        const flushed = applied(before, two);
        const facts = applied(flushed, three);
        const earlier = withDatoms(storedDb(SCHEMA, before), two).withMaxTx(TX0 + 2);
        const db = withDatoms(earlier, three).withMaxTx(TX0 + 3);
        const { root, nodes } = stored(SCHEMA, flushed);
        const moved = rebased(db, { ...root, maxTx: TX0 + 2 }, nodes);
        assertHolds(moved, facts);
        assert.ok(moved.changes("eavt").every(({ tx }) => tx === TX0 + 3));
        assert.deepEqual(
          [moved.maxEid, moved.maxTx, moved.schema],
          [db.maxEid, db.maxTx, db.schema],
        );
        for (const e of [1, 2, 3]) assert.deepEqual(moved.references(e), db.references(e));
      },
    ),
    { numRuns: 200 },
  );
});

Deno.test("An entity of very many datoms is found out of stored nodes and changes too", () => {
  const many = Array.from({ length: 200 }, (_, i) => fact(1, "plain", i, TX0 + 1));
  const db = storedDb(SCHEMA, [...many, fact(2, "plain", "x", TX0 + 1)]);
  const draft = new Draft(db);
  draft.apply(new Datom(1, "plain", 70, TX0 + 2, false));
  draft.apply(fact(1, "indexed", "y", TX0 + 2));
  for (const reader of [draft, draft.done(TX0 + 2)]) {
    assert.equal(reader.ofEntity(1).length, 200);
    assert.equal(reader.first(1, "plain", 70), undefined);
    assert.equal(reader.first(1, "plain", 71)?.tx, TX0 + 1);
    assert.equal(reader.value(1, "indexed"), "y");
  }
  assert.equal(db.ofEntity(1).length, 200);
  assert.equal(db.value(1, "indexed"), undefined);
});

Deno.test("So is one that came to have so many, and has few again", () => {
  const draft = new Draft(storedDb(SCHEMA, [fact(1, "indexed", "y", TX0 + 1)]));
  const fill = (added: boolean): void => {
    for (let i = 0; i < 100; i++) {
      assert.equal(draft.ofEntity(1).length, 1 + (added ? i : 100 - i));
      draft.apply(new Datom(1, "plain", i, TX0 + 2, added));
      assert.equal(draft.first(1, "plain", i) !== undefined, added);
    }
  };
  fill(true);
  fill(false);
  assert.deepEqual(draft.done(TX0 + 2).ofEntity(1).map(({ v }) => v), ["y"]);
});

Deno.test("A ref attribute is looked through from its first datom on", () => {
  const draft = new Draft(storedDb(SCHEMA, [fact(1, "ref/one", 5)]));
  assert.deepEqual(draft.refAttributesTo(5), ["ref/one"]);
  assert.deepEqual(draft.refAttributesTo(4), []);
  draft.apply(fact(2, "ref/none", 5, TX0 + 1));
  assert.deepEqual(draft.refAttributesTo(5).toSorted(), ["ref/none", "ref/one"]);
  assert.deepEqual(draft.references(5).map(({ e }) => e).toSorted(), [1, 2]);
});

Deno.test("Who refers to an entity is found, whoever was asked for before", () => {
  const others = fc.integer({ min: 1, max: 12 });
  const asked = fc.array(others, { maxLength: 20, size: "max" });
  const refs = (tx: number, maxLength: number): fc.Arbitrary<readonly Datom[]> => {
    const ref = fc.tuple(eids, fc.constantFrom("ref/one", "ref/none"), others, fc.boolean());
    const datoms = ref.map(([e, a, v, added]) => new Datom(e, a, v, tx, added));
    return fc.array(datoms, { maxLength, size: "max" });
  };
  fc.assert(
    fc.property(
      refs(TX0 + 1, 20),
      asked,
      refs(TX0 + 2, 3),
      asked,
      (old, first, changes, second) => {
        const base = applied([], old);
        const draft = new Draft(storedDb(SCHEMA, base));
        const assertFound = (facts: readonly Datom[], e: number): void => {
          const told = (datoms: readonly Datom[]): readonly string[] => datoms.map(show).toSorted();
          assert.deepEqual(told(draft.references(e)), told(facts.filter(({ v }) => v === e)));
        };
        for (const e of first) assertFound(base, e);
        for (const datom of changes) draft.apply(datom);
        for (const e of second) assertFound(applied(base, changes), e);
      },
    ),
    { numRuns: 1000 },
  );
});
