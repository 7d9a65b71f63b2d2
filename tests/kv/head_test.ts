import assert from "node:assert/strict";
import { CorruptValueError } from "../../kv/chunks.ts";
import { objectSet } from "../../kv/change.ts";
import { createGraph, type GraphMeta } from "../../kv/graphs.ts";
import { checksumLost, commitHead, type Head, readHead, readHeads } from "../../kv/head.ts";
import { headKey } from "../../kv/keys.ts";
import {
  EMPTY_CHECKSUM,
  type GraphId,
  newGraphId,
  nextT,
  parseUserId,
  T_ZERO,
} from "../../protocol/ids.ts";
import { dump, withCommit } from "../support/kv.ts";

const ONE = nextT(T_ZERO);

async function newHead(kv: Deno.Kv, graph: GraphId = newGraphId()): Promise<Head> {
  const owner = parseUserId("alice");
  assert.ok(owner !== undefined);
  const meta: GraphMeta = { owner, name: "notes", createdAt: 5 };
  assert.equal((await createGraph(kv, graph, meta)).kind, "committed");
  const head = await readHead(kv, graph);
  assert.ok(head !== undefined);
  return head;
}

Deno.test("A new graph's head is at version 0", async () => {
  using kv = await Deno.openKv(":memory:");
  const { t, rowsVersion, updatedAt } = await newHead(kv);
  assert.deepEqual([t, rowsVersion, updatedAt], [0, 0, 5]);
  assert.equal(await readHead(kv, newGraphId()), undefined);
});

Deno.test("A head moves with its change, and the answer is what is read next", async () => {
  using kv = await Deno.openKv(":memory:");
  const head = await newHead(kv);
  await kv.set(["gone"], 1);
  const outcome = await commitHead(kv, head, { ...head, t: ONE, updatedAt: 9 }, {
    sets: [objectSet(["new"], 2)],
    deletes: [["gone"]],
  });
  assert.ok(outcome.kind === "committed");
  assert.deepEqual(outcome.head, {
    ...head,
    t: 1,
    updatedAt: 9,
    versionstamp: outcome.head.versionstamp,
  });
  assert.deepEqual(await readHead(kv, head.graph), outcome.head);
  assert.equal((await kv.get(["new"])).value, 2);
  assert.equal((await kv.get(["gone"])).value, null);
});

Deno.test("A head keeps its activity, and one that was stored without it is read", async () => {
  using kv = await Deno.openKv(":memory:");
  const head = await newHead(kv);
  assert.ok(!("activity" in head));
  const activity = { hour: 7, counts: [2, 0, 1] };
  const outcome = await commitHead(kv, head, { ...head, activity }, { sets: [], deletes: [] });
  assert.ok(outcome.kind === "committed");
  assert.deepEqual((await readHead(kv, head.graph))?.activity, activity);
});

Deno.test("A head keeps its checksum, or that it is unknown, or that there is none", async () => {
  using kv = await Deno.openKv(":memory:");
  let head = await newHead(kv);
  assert.ok(!("checksum" in head));
  assert.ok(!("checksum" in checksumLost(head)));
  for (const checksum of [EMPTY_CHECKSUM, "unknown"] as const) {
    const outcome = await commitHead(kv, head, { ...head, checksum }, { sets: [], deletes: [] });
    assert.ok(outcome.kind === "committed");
    head = outcome.head;
    assert.equal((await readHead(kv, head.graph))?.checksum, checksum);
    assert.deepEqual(checksumLost(head), { checksum: "unknown" });
  }
  await kv.set(headKey(head.graph), { ...head, checksum: "xyz" });
  await assert.rejects(readHead(kv, head.graph), CorruptValueError);
});

Deno.test("A head that was read before another moved it is a conflict and changes nothing", async () => {
  using kv = await Deno.openKv(":memory:");
  const head = await newHead(kv);
  // The same state, but written again: it is another head.
  assert.equal((await commitHead(kv, head, head, { sets: [], deletes: [] })).kind, "committed");
  const before = await dump(kv);
  const change = { sets: [objectSet(["new"], 1)], deletes: [headKey(head.graph)] };
  assert.deepEqual(await commitHead(kv, head, { ...head, t: ONE }, change), { kind: "conflict" });
  assert.deepEqual(await dump(kv), before);
});

Deno.test("A check of the change that fails is a conflict too", async () => {
  using kv = await Deno.openKv(":memory:");
  const head = await newHead(kv);
  const before = await dump(kv);
  const checks = [{ key: ["absent"], versionstamp: head.versionstamp }];
  const outcome = await commitHead(kv, head, { ...head, t: ONE }, {
    sets: [],
    deletes: [],
    checks,
  });
  assert.deepEqual(outcome, { kind: "conflict" });
  assert.deepEqual(await dump(kv), before);
});

Deno.test("A commit of a head that throws is unknown", async () => {
  using kv = await Deno.openKv(":memory:");
  const head = await newHead(kv);
  const cause = new Error("connection reset");
  const broken = withCommit(kv, () => Promise.reject(cause));
  assert.deepEqual(
    await commitHead(broken, head, { ...head, t: ONE }, { sets: [], deletes: [] }),
    { kind: "unknown", cause },
  );
});

Deno.test("Of writers that start from the same head, one wins", async () => {
  using kv = await Deno.openKv(":memory:");
  const head = await newHead(kv);
  const outcomes = await Promise.all(
    Array.from({ length: 10 }, (_, i) =>
      commitHead(kv, head, { ...head, t: ONE, updatedAt: i }, {
        sets: [objectSet(["written", i], true)],
        deletes: [],
      })),
  );
  assert.equal(outcomes.filter(({ kind }) => kind === "committed").length, 1);
  assert.equal((await Array.fromAsync(kv.list({ prefix: ["written"] }))).length, 1);
});

Deno.test("Many heads come in the order that was asked for", async () => {
  using kv = await Deno.openKv(":memory:");
  const heads = await Promise.all(Array.from({ length: 25 }, () => newHead(kv)));
  const asked = [...heads.map(({ graph }) => graph), newGraphId()];
  assert.deepEqual(await readHeads(kv, asked), [...heads, undefined]);
  assert.deepEqual(await readHeads(kv, []), []);
});

Deno.test("A head that isn't one is an error, not a head", async () => {
  using kv = await Deno.openKv(":memory:");
  const { graph } = await newHead(kv);
  for (const value of [null, 1, {}, { t: -1, log: "x", rows: "x", rowsVersion: 0, updatedAt: 0 }]) {
    await kv.set(headKey(graph), value);
    await assert.rejects(readHead(kv, graph), CorruptValueError);
  }
});
