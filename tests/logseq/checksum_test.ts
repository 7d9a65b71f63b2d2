import assert from "node:assert/strict";
import fc from "fast-check";
import type { Datom } from "../../datascript/datom.ts";
import { Db } from "../../datascript/db.ts";
import { transact } from "../../datascript/transact.ts";
import { sumChange, summedAttributes, summedEntities, sumOf } from "../../logseq/checksum.ts";
import { decodeSum, digestOf, encodeSum, plus, type Sum } from "../../logseq/digest.ts";
import { prepareBatch } from "../support/prepare.ts";
import { block, GRAPH_SCHEMA, ref, uuid } from "../support/blocks.ts";
import { readBatches } from "../support/fixtures.ts";
import { LazyNodes, openFixture, stored, storedDb } from "../support/memory_db.ts";
import { fact, forms, formsOf, transacted, type Written } from "../support/written.ts";

function whole(db: Db): Sum {
  return sumOf(summedEntities(db, 0, Infinity));
}

function checksum(db: Db): string {
  return encodeSum(whole(db));
}

/** The page and the block of upstream.md §1.11. */
const HOME = block(1, { "block/title": "Home", "block/name": "home" });
const UNDER_HOME = block(2, {
  "block/title": "hi é 😀",
  "block/parent": 1,
  "block/page": 1,
  "block/order": "a0",
});

Deno.test("A fact's digest is Logseq's", () => {
  const id = "00000000-0000-4000-8000-000000000001";
  assert.equal(encodeSum(digestOf(id, ":block/uuid", id)), "e6732e8cfd9b87d0");
});

Deno.test("The checksum of a graph without a block is 0", () => {
  assert.equal(checksum(storedDb(GRAPH_SCHEMA, [])), "0000000000000000");
});

Deno.test("The checksums of a page, and of a page with a block, are Logseq's", () => {
  assert.equal(checksum(storedDb(GRAPH_SCHEMA, HOME)), "c0846d41f2b3be75");
  assert.equal(checksum(storedDb(GRAPH_SCHEMA, [...HOME, ...UNDER_HOME])), "169258c0cf858ada");
});

Deno.test("The checksum of an encrypted graph leaves titles and names out, as Logseq's does", () => {
  const flag = [fact(3, "db/ident", ":logseq.kv/graph-rtc-e2ee?"), fact(3, "kv/value", true)];
  const db = storedDb(GRAPH_SCHEMA, [...HOME, ...UNDER_HOME, ...flag]);
  assert.equal(checksum(db), "b9fdc68bcfec4d23");
  assert.deepEqual(summedAttributes(db), [
    "block/uuid",
    "block/parent",
    "block/page",
    "block/order",
  ]);
});

const NOT_SUMMED: Readonly<Record<string, readonly ReturnType<typeof fact>[]>> = {
  "neither page nor on a page": block(5, { "block/title": "x" }),
  "built in": block(5, { "block/name": "x", "logseq.property/built-in?": true }),
  "without a uuid": [fact(5, "block/title", "x"), fact(5, "block/name", "x")],
  "of a class that makes no page": [
    fact(6, "db/ident", ":user.class/Page"),
    ...block(5, { "block/title": "x", "block/tags": 6 }),
  ],
};

for (const [what, facts] of Object.entries(NOT_SUMMED)) {
  Deno.test(`An entity that is ${what} is not summed`, () => {
    assert.equal(checksum(storedDb(GRAPH_SCHEMA, [...HOME, ...facts])), "c0846d41f2b3be75");
  });
}

for (const name of ["Page", "Journal", "Tag", "Property"]) {
  Deno.test(`An entity of the class ${name} is summed without a name`, () => {
    const tagged = storedDb(GRAPH_SCHEMA, [
      fact(6, "db/ident", `:logseq.class/${name}`),
      ...block(1, { "block/tags": 6 }),
    ]);
    assert.equal(checksum(tagged), "e6732e8cfd9b87d0");
  });
}

Deno.test("A parent that has no uuid counts as an empty text", () => {
  const db = storedDb(GRAPH_SCHEMA, block(1, { "block/page": 9 }));
  const id = "00000000-0000-4000-8000-000000000001";
  const expected = plus(digestOf(id, ":block/uuid", id), digestOf(id, ":block/page", ""));
  assert.equal(checksum(db), encodeSum(expected));
});

Deno.test("A sum is read as it was written", () => {
  fc.assert(fc.property(fc.nat(2 ** 32 - 1), fc.nat(2 ** 32 - 1), (a, b) => {
    assert.match(encodeSum({ a, b }), /^[0-9a-f]{16}$/);
    assert.deepEqual(decodeSum(encodeSum({ a, b })), { a, b });
  }));
});

/** Batches on pages 1 and 2 with blocks: all that a sum depends on changes. */
const batches: fc.Arbitrary<readonly Written[]> = (() => {
  const known = fc.integer({ min: 1, max: 8 });
  const text = fc.constantFrom("a", "b", "é");
  const form: fc.Arbitrary<Written> = fc.oneof(
    fc.tuple(known, text, known, known).map(([e, title, parent, page]): Written => ({
      ":block/uuid": uuid(e),
      ":block/title": title,
      ":block/parent": ref(parent),
      ":block/page": ref(page),
    })),
    fc.tuple(known, text).map(([e, v]): Written => [":db/add", ref(e), ":block/order", v]),
    fc.tuple(known, text).map(([e, v]): Written => [":db/add", ref(e), ":block/name", v]),
    fc.tuple(known, fc.boolean()).map((
      [e, v],
    ): Written => [":db/add", ref(e), ":logseq.property/built-in?", v]),
    fc.tuple(known, fc.constantFrom("Page", "Tag")).map((
      [e, name],
    ): Written => [":db/add", ref(e), ":block/tags", `:logseq.class/${name}`]),
    fc.tuple(known, fc.constantFrom("parent", "page", "name", "tags", "title", "uuid")).map((
      [e, name],
    ): Written => [":db.fn/retractAttribute", ref(e), `:block/${name}`]),
    fc.tuple(known, fc.integer({ min: 20, max: 22 })).map((
      [e, other],
    ): Written => [":db/add", ref(e), ":block/uuid", uuid(other)]),
    fc.tuple(fc.integer({ min: 20, max: 22 }), known).map((
      [e, other],
    ): Written => [":db/add", ref(e), ":block/uuid", uuid(other)]),
    known.map((e): Written => [":db/retractEntity", ref(e)]),
    fc.boolean().map((v): Written => ({
      ":db/ident": ":logseq.kv/graph-rtc-e2ee?",
      ":kv/value": v,
    })),
    fc.constant<Written>({ ":db/ident": ":logseq.class/Tag" }),
    fc.constant<Written>([":db/retractEntity", ":logseq.class/Tag"]),
  );
  return fc.array(form, { minLength: 1, maxLength: 6 });
})();

function base(): Db {
  return storedDb(GRAPH_SCHEMA, [
    fact(100, "db/ident", ":logseq.class/Page"),
    fact(101, "db/ident", ":logseq.class/Tag"),
    ...HOME,
    ...UNDER_HOME,
    ...block(3, { "block/title": "c", "block/parent": 2, "block/page": 1 }),
  ]);
}

Deno.test("A sum that is kept from batch to batch, or over several, is the one of the whole graph", () => {
  const seen = { kept: 0, anew: 0, together: 0 };
  fc.assert(
    fc.property(fc.array(batches, { minLength: 1, maxLength: 6, size: "max" }), (all) => {
      const start = base();
      const datoms: Datom[] = [];
      let db = start;
      let sum = whole(db);
      for (const batch of all) {
        const report = transacted(db, ...batch);
        if (report === undefined) continue;
        const change = sumChange(report);
        db = report.after;
        datoms.push(...report.datoms);
        seen[change === undefined ? "anew" : "kept"]++;
        sum = change === undefined ? whole(db) : plus(sum, change);
        assert.equal(encodeSum(sum), checksum(db));
      }
      const together = sumChange({ before: start, after: db, datoms });
      if (together === undefined) return;
      seen.together++;
      assert.equal(encodeSum(plus(whole(start), together)), checksum(db));
    }),
    { numRuns: 500 },
  );
  assert.ok(seen.kept > 150 && seen.anew > 20 && seen.together > 100, JSON.stringify(seen));
});

Deno.test("The sum is the same whichever way the entities are divided", () => {
  const db = openFixture("variety-small");
  fc.assert(
    fc.property(fc.array(fc.nat(db.maxEid), { maxLength: 5 }), (cuts) => {
      const ends = [0, ...cuts.sort((x, y) => x - y), Infinity];
      const parts = ends.slice(1).map((to, i) => sumOf(summedEntities(db, ends[i] ?? 0, to)));
      assert.equal(encodeSum(parts.reduce(plus)), checksum(db));
    }),
    { numRuns: 20 },
  );
});

Deno.test("Over recorded batches the kept sum is the one of the whole graph", () => {
  let db = openFixture("variety-small");
  let sum = whole(db);
  let kept = 0;
  for (const { txs, response } of readBatches("ops-small")) {
    if (response.type !== "tx/batch/ok") continue;
    const prepared = prepareBatch(db, formsOf(txs));
    assert.ok(prepared.ok);
    const change = sumChange(prepared.report);
    db = prepared.report.after;
    if (change !== undefined) kept++;
    sum = change === undefined ? whole(db) : plus(sum, change);
    assert.equal(encodeSum(sum), checksum(db));
  }
  assert.ok(kept > 100, `only ${kept} were kept`);
});

Deno.test("What a change of the sum lacks is loaded, and no node that it needn't have", () => {
  const datoms = [...base().everything("eavt")];
  for (let e = 1000; e < 1200; e++) datoms.push(...block(e, { "block/page": 1 }));
  const { root, nodes } = stored(GRAPH_SCHEMA, datoms);
  const lazy = new LazyNodes(nodes);
  const db = Db.open(root, lazy);
  const form = forms([":db/add", ref(3), ":block/title", "x"]);
  const change = lazy.untilDone(() => sumChange(transact(db, form)));
  assert.ok(change !== undefined);
  assert.ok(lazy.count < 60, `${lazy.count} nodes`);
  const after = transact(Db.open(root, nodes), form).after;
  assert.equal(encodeSum(plus(whole(Db.open(root, nodes)), change)), checksum(after));
});
