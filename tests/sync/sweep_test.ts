import assert from "node:assert/strict";
import { openBlobStores } from "../../assets/open.ts";
import { objectSet } from "../../kv/change.ts";
import { commitOrThrow } from "../../kv/commit.ts";
import { flushSets } from "../../kv/flushes.ts";
import { listGarbage, markGarbage, sweepGeneration } from "../../kv/garbage.ts";
import { readHead } from "../../kv/head.ts";
import { flushKey, garbageKey, goneKey, headKey, orphansKey } from "../../kv/keys.ts";
import { renewLease } from "../../kv/present.ts";
import { rowSets } from "../../kv/rows.ts";
import {
  type Generation,
  type GraphId,
  newGeneration,
  newGraphId,
  parseUserId,
  ROOT_ADDR,
  type UserId,
} from "../../protocol/ids.ts";
import type { AssetSweepDeps } from "../../sync/asset_sweep.ts";
import { type Graphs, openGraphs } from "../../sync/graphs.ts";
import { upload } from "../../sync/snapshot_upload.ts";
import { GRACE_MS, sweep, sweepFlushes, sweepGarbage, sweepUnready } from "../../sync/sweep.ts";
import { dump, keysOf, killedAt, withCommit, withMethods } from "../support/kv.ts";
import { loggedBy } from "../support/log.ts";
import { headOf, importedOf, version } from "../support/process.ts";
import { userOf } from "../support/user.ts";
import { created } from "../support/created.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
const NOW = 10 * GRACE_MS;
const now = (): number => NOW;

async function newGraph(kv: Deno.Kv): Promise<GraphId> {
  const owner = parseUserId("alice");
  assert.ok(owner !== undefined);
  return await created(openGraphs({ kv, stores: openBlobStores(kv), now }), owner, {
    graph_name: "notes",
  });
}

/** What an import leaves that was cut off at this time. */
async function leave(kv: Deno.Kv, graph: GraphId, since: number): Promise<Generation> {
  const generation = newGeneration();
  const row = { addr: ROOT_ADDR, content: "x", addresses: null };
  await commitOrThrow(kv, {
    sets: [...markGarbage(graph, [generation], since), ...rowSets(graph, generation, row)],
    deletes: [],
  });
  return generation;
}

Deno.test("What a cut-off import has left is swept after the grace, and not before", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await newGraph(kv);
  const young = await leave(kv, graph, NOW - GRACE_MS);
  const before = await dump(kv);
  await leave(kv, graph, NOW - GRACE_MS - 1);
  await leave(kv, newGraphId(), 0);
  assert.equal(await sweepGarbage(kv, { now }), 2);
  assert.deepEqual(await dump(kv), before);
  assert.deepEqual(
    (await Array.fromAsync(listGarbage(kv))).map(({ generation }) => generation),
    [young],
  );
  assert.equal(await sweepGarbage(kv, { now, graceMs: GRACE_MS - 1 }), 1);
  assert.deepEqual(await Array.fromAsync(listGarbage(kv)), []);
});

Deno.test("A marker of what the head refers to is removed, and what it marks stays", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await newGraph(kv);
  const head = await readHead(kv, graph);
  assert.ok(head !== undefined);
  const row = { addr: ROOT_ADDR, content: "x", addresses: null };
  await commitOrThrow(kv, { sets: rowSets(graph, head.rows, row), deletes: [] });
  const before = await dump(kv);
  await commitOrThrow(kv, { sets: markGarbage(graph, [head.rows], 0), deletes: [] });
  assert.equal(await sweepGarbage(kv, { now }), 0);
  assert.deepEqual(await dump(kv), before);
});

Deno.test("A sweep that is cut off after any commit is finished by the next one", async () => {
  for (const cutAt of [0, 1, 2]) {
    using kv = await Deno.openKv(":memory:");
    await leave(kv, newGraphId(), 0);
    const cut = withCommit(kv, (commit, before) => {
      return before === cutAt ? Promise.reject(new Error("the process was killed")) : commit();
    });
    await assert.rejects(sweepGarbage(cut, { now }));
    assert.ok((await keysOf(kv)).length > 0);
    assert.equal(await sweepGarbage(kv, { now }), 1);
    assert.deepEqual(await keysOf(kv), []);
  }
});

Deno.test("A graph whose upload has not ended for a day is removed whole, unless rows still come in", async () => {
  using kv = await Deno.openKv(":memory:");
  let ms = NOW;
  const parts = { kv, stores: openBlobStores(kv), now: () => ms };
  const graphs = openGraphs(parts);
  const owner = userOf("alice");
  const ready = await created(graphs, owner, { graph_name: "ready", readyForUse: true });
  const before = await dump(kv);
  const given = await created(graphs, owner, { graph_name: "given up", readyForUse: false });
  await upload(parts, given, { by: owner, reset: true, finished: false, rows: importedOf([]) });
  const ended = await created(graphs, owner, { graph_name: "ended", readyForUse: false });
  await upload(parts, ended, { by: owner, reset: true, finished: true, rows: importedOf([]) });
  ms += DAY_MS;
  assert.equal(await sweepUnready(parts), 0);
  ms += 1;
  assert.equal(await sweepUnready(parts), 0, "as long as the upload is there");
  await sweepGarbage(kv, { now: () => ms });
  assert.equal(await sweepUnready(parts), 1);
  assert.equal(await graphs.ready(given), undefined);
  assert.equal(await graphs.ready(ended), true);
  await graphs.remove(ended);
  assert.deepEqual(await dump(kv), before);
  assert.equal(await graphs.ready(ready), true);
});

/** A graph that waits for its upload, and what sweeps it. */
async function waitingGraph(
  kv: Deno.Kv,
): Promise<
  {
    readonly parts: AssetSweepDeps;
    readonly graphs: Graphs;
    readonly owner: UserId;
    readonly graph: GraphId;
  }
> {
  const parts = { kv, stores: openBlobStores(kv), now };
  const graphs = openGraphs(parts);
  const owner = userOf("alice");
  const graph = await created(graphs, owner, { graph_name: "late", readyForUse: false });
  return { parts, graphs, owner, graph };
}

Deno.test("An upload that has lost its marker to a sweep keeps no graph waiting", async () => {
  using kv = await Deno.openKv(":memory:");
  const { parts, graphs, owner, graph } = await waitingGraph(kv);
  const rows = importedOf([[0, "root", null]]);
  await upload(parts, graph, { by: owner, reset: true, finished: false, rows });
  // A call that takes hold between the two steps of a sweep leaves this.
  for await (const { generation } of listGarbage(kv)) await sweepGeneration(kv, graph, generation);
  assert.equal(await sweepUnready({ ...parts, now: () => NOW + DAY_MS + 1 }), 1);
  assert.equal(await graphs.ready(graph), undefined);
  assert.deepEqual(await keysOf(kv), []);
});

Deno.test("A graph whose upload ends while it is swept stays", async () => {
  using store = await Deno.openKv(":memory:");
  const { parts, graphs, owner, graph } = await waitingGraph(store);
  const kv = withCommit(store, async (commit, commits) => {
    const call = { by: owner, reset: true, finished: true, rows: importedOf([]) };
    if (commits === 0) assert.equal(await upload(parts, graph, call), "finished");
    return await commit();
  });
  assert.equal(await sweepUnready({ ...parts, kv, now: () => NOW + DAY_MS + 1 }), 0);
  assert.equal(await graphs.ready(graph), true);
});

Deno.test("A graph whose upload begins while it is swept stays", async () => {
  using store = await Deno.openKv(":memory:");
  const { parts, owner, graph } = await waitingGraph(store);
  const call = { by: owner, reset: true, finished: false, rows: importedOf([]) };
  const kv = withCommit(store, async (commit, commits) => {
    if (commits === 0) assert.equal(await upload(parts, graph, call), "staged");
    return await commit();
  });
  assert.equal(await sweepUnready({ ...parts, kv, now: () => NOW + DAY_MS + 1 }), 0);
  const last = { ...call, reset: false, finished: true };
  assert.equal(await upload(parts, graph, last), "finished");
});

Deno.test("A graph whose upload comes whole while it is looked at stays", async () => {
  using store = await Deno.openKv(":memory:");
  const { parts, graphs, owner, graph } = await waitingGraph(store);
  const call = { by: owner, reset: true, finished: true, rows: importedOf([]) };
  let reads = 0;
  const get = async (key: Deno.KvKey): Promise<Deno.KvEntryMaybe<unknown>> => {
    const entry = await store.get<unknown>(key);
    const isGraphs = key[0] === "graph" || key[0] === "head";
    if (isGraphs && ++reads === 1) {
      assert.equal(await upload(parts, graph, call), "finished");
    }
    return entry;
  };
  const kv = withMethods(store, { get });
  assert.equal(await sweepUnready({ ...parts, kv, now: () => NOW + DAY_MS + 1 }), 0);
  assert.equal(await graphs.ready(graph), true);
});

Deno.test("A sweep that found a generation in use forgets no marker that came since", async () => {
  using store = await Deno.openKv(":memory:");
  const graph = await newGraph(store);
  const { rows } = await headOf(store, graph);
  const kv = withCommit(store, async (commit, before) => {
    // Of a reset that is killed before its own sweep.
    if (before === 1) {
      assert.ok(
        await killedAt(store, 1, false, async (dying) => {
          await openGraphs({ kv: dying, stores: openBlobStores(dying), now }).reset(graph);
        }),
      );
    }
    return await commit();
  });
  assert.equal(await sweepGeneration(kv, graph, rows), false);
  assert.ok((await Array.fromAsync(listGarbage(store))).some((left) => left.generation === rows));
});

Deno.test("What of one graph is damaged keeps no other from being swept", async () => {
  using kv = await Deno.openKv(":memory:");
  const graphs = [await newGraph(kv), await newGraph(kv), await newGraph(kv)].sort();
  const heads = await Promise.all(graphs.map((graph) => headOf(kv, graph)));
  for (const { graph, rows } of heads) {
    await leave(kv, graph, 0);
    const flush = { t: version(1), root: "x", since: 0, dropped: [] };
    await commitOrThrow(kv, { sets: flushSets(graph, rows, flush) });
  }
  const [lost, cut] = heads;
  assert.ok(lost !== undefined && cut !== undefined);
  await kv.set(headKey(lost.graph), "no head");
  await kv.set(flushKey("dropped", cut.graph, cut.rows, version(1), 0), new Uint8Array(20));
  const logged = await loggedBy(async () => {
    assert.equal(await sweepGarbage(kv, { now }), 2);
    assert.equal(await sweepFlushes(kv, { now, graceMs: 0 }), 1);
  });
  assert.deepEqual(logged.map(({ level }) => level), ["error", "error", "error"]);
  const left = (await keysOf(kv)).filter(([name]) => name === "garbage" || name === "dropped");
  assert.deepEqual(left.map(([name, graph]) => [name, graph]), [
    ["dropped", lost.graph],
    ["dropped", cut.graph],
    ["garbage", lost.graph],
  ]);
});

Deno.test("A sweep leaves nothing of all that there is to sweep", async () => {
  using kv = await Deno.openKv(":memory:");
  const stores = openBlobStores(kv);
  const graph = await newGraph(kv);
  const { rows } = await headOf(kv, graph);
  await created(openGraphs({ kv, stores, now: () => 0 }), userOf("alice"), {
    graph_name: "given up",
    readyForUse: false,
  });
  const kinds = ["garbage", "dropped", "unready", "orphans", "instance", "gone"];
  await leave(kv, graph, 0);
  await commitOrThrow(kv, {
    sets: [
      ...flushSets(graph, rows, { t: version(1), root: "x", since: 0, dropped: [] }),
      objectSet(orphansKey(newGraphId()), true),
      objectSet(goneKey(newGraphId()), { since: 0 }),
    ],
    deletes: [],
  });
  await renewLease(kv, { instance: crypto.randomUUID(), until: 0 });
  const left = async (): Promise<readonly unknown[]> => {
    const names = new Set((await keysOf(kv)).map(([name]) => name));
    return kinds.filter((name) => names.has(name));
  };
  assert.deepEqual(await left(), kinds);
  const later = (): number => NOW + DAY_MS;
  await sweep({ kv, stores, now: later, rowsGraceMs: 0, assetsGraceMs: 0 });
  assert.deepEqual(await left(), []);
});

Deno.test("A damaged marker of one kind keeps nothing of another kind from being swept", async () => {
  using kv = await Deno.openKv(":memory:");
  const stores = openBlobStores(kv);
  const graph = await newGraph(kv);
  const { rows } = await headOf(kv, graph);
  await commitOrThrow(kv, {
    sets: [
      objectSet(garbageKey(graph, newGeneration()), { since: "long ago" }),
      ...flushSets(graph, rows, { t: version(1), root: "x", since: 0, dropped: [] }),
    ],
    deletes: [],
  });
  await renewLease(kv, { instance: crypto.randomUUID(), until: 0 });
  const parts = { kv, stores, now, rowsGraceMs: 0, assetsGraceMs: 0 };
  await assert.rejects(sweep(parts), { name: "AggregateError" });
  const left = new Set((await keysOf(kv)).map(([name]) => name));
  for (const name of ["dropped", "instance"]) assert.ok(!left.has(name), name);
});
