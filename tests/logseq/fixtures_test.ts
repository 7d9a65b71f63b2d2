/** Recorded requests: what Logseq's own libraries made of them is what ours make of them. */
import assert from "node:assert/strict";
import { decodeDatom } from "../../datascript/datom.ts";
import type { Db } from "../../datascript/db.ts";
import { transact } from "../../datascript/transact.ts";
import { decode, encode } from "../../datascript/transit.ts";
import { equal, List, type Value } from "../../datascript/value.ts";
import { prepareEntry } from "../../logseq/entries.ts";
import type { Prepared } from "../../logseq/prepare.ts";
import { prepareBatch } from "../support/prepare.ts";
import { differencesOfMeaning } from "../support/blocks.ts";
import { DataScriptDb, differencesFromOurs } from "../support/datascript.ts";
import { readBatches, readCases, readDatoms, readLog } from "../support/fixtures.ts";
import { openFixture } from "../support/memory_db.ts";
import { differences } from "../support/model.ts";
import { formsOf } from "../support/written.ts";

/** Kinds of cases that a server answers before it looks into the batch. */
const BEFORE_THE_ENGINE = ["stale", "negative"];

/**
 * The recorder left these orders as they came, since its server overlooks blocks that the batch makes.
 * Ours repairs them too, and else does the same.
 */
const REPAIRED = "duplicate-order";

/**
 * Here the recorder's own server applied the batch's forms a second time, so that its log entries hold
 * repetitions, and in ops-medium 12 a tempid for an entity that is there. Their meaning is the same.
 */
const REPEATED: Readonly<Record<string, readonly number[]>> = {
  "ops-small": [48, 112, 161],
  "ops-medium": [12, 30, 92, 159, 209, 224, 260],
};

/**
 * Here the recorded entries assert a ref of a new block that the batch itself took back, so that who
 * follows them has one fact more than the server. Ours leave it out, and else are the same.
 */
const TAKEN_BACK: Readonly<Record<string, readonly number[]>> = { "ops-small": [33, 152] };

type Done = Extract<Prepared, { ok: true }>;

function done(prepared: Prepared): Done {
  assert.ok(prepared.ok, "a cycle");
  return prepared;
}

function items(entry: Value): readonly Value[] {
  assert.ok(entry instanceof List, "an entry is a list");
  return entry.items;
}

/** The forms of two entries that differ, by their place. */
function differentForms(ours: Value, recorded: Value): readonly string[] {
  const [xs, ys] = [items(ours), items(recorded)];
  return Array.from({ length: Math.max(xs.length, ys.length) }, (_, i) => i)
    .filter((i) => !equal(xs[i] ?? null, ys[i] ?? null))
    .map((i) => `at ${i}: ${encode(xs[i] ?? null)}, recorded ${encode(ys[i] ?? null)}`)
    .slice(0, 5);
}

/** A device that has the graph and follows the log. */
function follow(replica: Db, entry: Value): Db {
  return transact(replica, formsOf([encode(entry)])).after;
}

function finalDatoms(set: string): ReturnType<typeof decodeDatom>[] {
  return readDatoms(set, "final-datoms").map((line) => decodeDatom(decode(line)));
}

for (const set of ["small-a", "medium-a"]) {
  Deno.test(`The recorded cases of ${set} come to the recorded log and datoms`, () => {
    const log = readLog(set);
    const kinds = new Map<string, number>();
    const repairs = new Map<number, string>();
    let db = openFixture(set);
    let replica = openFixture(set);
    let t = 0;
    for (const { kind, request, response } of readCases(set)) {
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
      if (BEFORE_THE_ENGINE.includes(kind)) {
        assert.equal(response.type, "tx/reject");
        continue;
      }
      const batch = formsOf(request.txs);
      assert.equal(batch.length === 0, kind === "empty");
      if (kind === "empty") continue;
      const prepared = prepareBatch(db, batch);
      if (kind === "cycle") {
        assert.ok(!prepared.ok && equal(prepared.cycle, decode(response.data ?? "null")));
        continue;
      }
      const { report, entry } = done(prepared);
      assert.deepEqual([response.type, response.t], ["tx/batch/ok", ++t]);
      const recorded = decode(log[t - 1]?.tx ?? "null");
      const different = differentForms(entry, recorded);
      if (kind === REPAIRED) {
        const e = assertRepaired(report.after, different, items(entry), items(recorded));
        repairs.set(e, String(report.after.value(e, "block/order")));
      } else assert.deepEqual(different, [], `t ${t}`);
      db = report.after;
      replica = follow(replica, entry);
    }
    assert.equal(t, log.length);
    for (const kind of ["ok", "empty", "cycle", REPAIRED, ...BEFORE_THE_ENGINE]) {
      assert.ok((kinds.get(kind) ?? 0) > 0, kind);
    }

    const ours = db.everything("eavt");
    const isRepaired = ({ e, a }: { e: number; a: string }): boolean =>
      a === "block/order" && repairs.has(e);
    assert.deepEqual(
      differences(
        ours.filter((datom) => !isRepaired(datom)),
        finalDatoms(set).filter((datom) => !isRepaired(datom)),
      ),
      [],
    );
    assert.deepEqual(
      ours.filter(isRepaired).map(({ e, v }) => [e, v]),
      [...repairs].toSorted(([x], [y]) => x - y),
    );
    assert.deepEqual(differencesOfMeaning(replica, db), []);
  });
}

/**
 * The one form that differs asserts an order strictly between the asked one and the next sibling's.
 *
 * @returns the block
 */
function assertRepaired(
  after: Db,
  different: readonly string[],
  ours: readonly Value[],
  recorded: readonly Value[],
): number {
  assert.ok(different.length > 0, "ours is repaired");
  const orders = (forms: readonly Value[]): readonly string[] =>
    forms.map(encode).filter((form) => form.includes("~:block/order"));
  const others = (forms: readonly Value[]): readonly string[] =>
    forms.map(encode).filter((form) => !form.includes("~:block/order"));
  assert.deepEqual(others(ours), others(recorded));
  assert.equal(orders(recorded).length, 1);
  // The asked order first, then the fresh one.
  assert.deepEqual(orders(ours).slice(0, -1), orders(recorded));

  const e = after.maxEid;
  const [asked] = orders(recorded).map((form) => /"([^"]+)"\]$/.exec(form)?.[1]);
  const own = after.value(e, "block/order");
  const parent = after.value(e, "block/parent");
  assert.ok(asked !== undefined && typeof own === "string" && typeof parent === "number");
  const siblings = after.entitiesWith("block/parent", parent).filter((other) => other !== e)
    .map((other) => String(after.value(other, "block/order")));
  assert.ok(siblings.includes(asked), "the asked order is taken");
  const next = siblings.filter((order) => order > asked).sort()[0];
  assert.ok(asked < own && (next === undefined || own < next), `${asked} < ${own} < ${next}`);
  return e;
}

for (
  const [set, base] of [["ops-small", "variety-small"], ["ops-medium", "variety-medium"]] as const
) {
  Deno.test(`The recorded batches of ${set} come to the recorded log and datoms`, () => {
    let db = openFixture(base);
    let replica = openFixture(base);
    let t = 0;
    for (const { txs, response, t_after, log } of readBatches(set)) {
      if (response.reason === "stale") continue;
      const { report, entry } = done(prepareBatch(db, formsOf(txs)));
      assert.deepEqual([response.type, t_after, log.length], ["tx/batch/ok", ++t, 1]);
      const recorded = decode(log[0]?.tx ?? "null");
      const different = differentForms(entry, recorded);
      if (REPEATED[set]?.includes(t)) {
        assert.ok(different.length > 0, `t ${t} is no exception`);
        assert.deepEqual(differencesOfMeaning(follow(db, entry), report.after), [], `t ${t}`);
      } else if (TAKEN_BACK[set]?.includes(t)) {
        const held = items(entry).map(encode);
        const leftOut = items(recorded).map(encode).filter((form) => !held.includes(form));
        assert.equal(leftOut.length, 1);
        assert.match(leftOut.join(), /^\["~:db\/add",-\d+,"~:block\/refs"/);
        const others = items(recorded).filter((form) => !leftOut.includes(encode(form)));
        assert.deepEqual(differentForms(entry, new List(others)), [], `t ${t}`);
      } else assert.deepEqual(different, [], `t ${t}`);
      db = report.after;
      replica = follow(replica, entry);
    }
    assert.ok(t > 150, `only ${t} batches`);
    assert.deepEqual(differences(db.everything("eavt"), finalDatoms(set)), []);
    assert.deepEqual(differencesOfMeaning(replica, db), []);
  });
}

for (const set of ["small-a", "medium-a"]) {
  Deno.test(`DataScript itself takes the log of ${set}, if today's clients sent its transactions`, () => {
    const recorded = readDatoms(set, "datoms").map((line) => decodeDatom(decode(line)));
    let db = openFixture(set);
    const datascript = new DataScriptDb(db.schema, recorded);
    const device = datascript.connect();
    let followed = 0;
    for (const tx of readCases(set).flatMap(({ request }) => request.txs)) {
      const prepared = prepareEntry(db, formsOf([tx]), undefined);
      if (prepared.kind !== "changed") continue;
      db = prepared.report.after;
      device.transact(datascript.formsOf(prepared.entry));
      followed++;
    }
    assert.ok(followed > 300);
    assert.deepEqual(differencesFromOurs(device, db), []);
  });
}
