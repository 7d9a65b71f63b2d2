import assert from "node:assert/strict";
import { type Download, readDownload, writeServed, writeTold } from "../../kv/downloads.ts";
import { createGraph, readMeta, removeGraph } from "../../kv/graphs.ts";
import { downloadKey } from "../../kv/keys.ts";
import { sweepOrphans } from "../../kv/members.ts";
import { type GraphId, newGraphId, nextT, T_ZERO } from "../../protocol/ids.ts";
import { keysOf } from "../support/kv.ts";
import { ALICE, BOB, headOf } from "../support/process.ts";

async function newGraph(kv: Deno.Kv): Promise<GraphId> {
  const graph = newGraphId();
  await createGraph(kv, graph, { owner: ALICE, name: "notes", createdAt: 0 });
  return graph;
}

async function downloadOf(kv: Deno.Kv, graph: GraphId, user = ALICE): Promise<Download> {
  const download = await readDownload(kv, graph, user);
  assert.ok(download !== undefined);
  return download;
}

Deno.test("What a download was told and served comes back, to its user alone", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await newGraph(kv);
  const { log, rows } = await headOf(kv, graph);
  const told = { log, t: T_ZERO, at: 5 };
  const served = { rows, after: -1, lastAddr: 7, at: 6 };
  const fresh = await downloadOf(kv, graph);
  assert.deepEqual(Object.keys(fresh), ["guards"]);
  assert.equal((await writeTold(kv, graph, ALICE, told, fresh)).kind, "committed");
  const download = await downloadOf(kv, graph);
  assert.equal((await writeServed(kv, graph, ALICE, served, download)).kind, "committed");
  const { guards: _, ...known } = await downloadOf(kv, graph);
  assert.deepEqual(known, { told, served });
  assert.deepEqual(Object.keys(await downloadOf(kv, graph, BOB)), ["guards"]);
});

Deno.test("Nothing is remembered of a download that was told another version since", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await newGraph(kv);
  const { log, rows } = await headOf(kv, graph);
  const old = await downloadOf(kv, graph);
  await writeTold(kv, graph, ALICE, { log, t: nextT(T_ZERO), at: 5 }, old);
  const before = await downloadOf(kv, graph);
  const told = { log, t: T_ZERO, at: 6 };
  assert.deepEqual(await writeTold(kv, graph, ALICE, told, old), { kind: "conflict" });
  const served = { rows, after: -1, lastAddr: 7, at: 6 };
  assert.deepEqual(await writeServed(kv, graph, ALICE, served, old), { kind: "conflict" });
  assert.deepEqual(await downloadOf(kv, graph), before);
});

Deno.test("Of a download nothing is left once its graph is removed, nor comes back", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await newGraph(kv);
  const head = await headOf(kv, graph);
  const meta = await readMeta(kv, graph);
  assert.ok(meta !== undefined);
  const told = { log: head.log, t: T_ZERO, at: 5 };
  const served = { rows: head.rows, after: -1, lastAddr: 7, at: 6 };
  const downloads = [await downloadOf(kv, graph), await downloadOf(kv, graph, BOB)] as const;
  await writeTold(kv, graph, ALICE, told, downloads[0]);
  await removeGraph(kv, meta, head, 0);
  await sweepOrphans(kv, graph);
  const keys = await keysOf(kv);
  assert.ok(!keys.some(([name]) => name === "download"));
  assert.equal(await readDownload(kv, graph, BOB), undefined);
  assert.deepEqual(await writeTold(kv, graph, BOB, told, downloads[1]), { kind: "conflict" });
  assert.deepEqual(await writeServed(kv, graph, BOB, served, downloads[1]), { kind: "conflict" });
  assert.deepEqual(await keysOf(kv), keys);
});

Deno.test("What an earlier version remembered of a download, and can't be read, is nothing, until the next page", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await newGraph(kv);
  const { log, rows } = await headOf(kv, graph);
  await kv.set(downloadKey(graph, ALICE, "served"), { rows, lastAddr: 7 });
  const told = { log, t: T_ZERO, at: 5 };
  assert.equal(
    (await writeTold(kv, graph, ALICE, told, await downloadOf(kv, graph))).kind,
    "committed",
  );
  const served = { rows, after: -1, lastAddr: 7, at: 6 };
  await writeServed(kv, graph, ALICE, served, await downloadOf(kv, graph));
  const { guards: _, ...known } = await downloadOf(kv, graph);
  assert.deepEqual(known, { told, served });
});
