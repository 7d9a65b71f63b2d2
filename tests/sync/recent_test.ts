import assert from "node:assert/strict";
import { openBlobStores } from "../../assets/open.ts";
import type { GraphId } from "../../protocol/ids.ts";
import { openGraphs } from "../../sync/graphs.ts";
import { pull } from "../../sync/pull.ts";
import { pullFrame } from "../../sync/pull_answer.ts";
import type { RecentEntries } from "../../sync/recent.ts";
import { counted, NOTHING } from "../support/counted_kv.ts";
import { blockTx } from "../support/forms.ts";
import { logOf, Process, version } from "../support/process.ts";

async function sendBlocks(
  server: Process,
  graph: GraphId,
  from: number,
  count: number,
  title = "a block",
): Promise<void> {
  for (let t = from; t < from + count; t++) {
    const answer = await server.send(graph, t, blockTx(crypto.randomUUID(), title));
    assert.deepEqual(answer, { type: "tx/batch/ok", t: t + 1 });
  }
}

async function pullText(
  kv: Deno.Kv,
  graph: GraphId,
  since: number,
  recent?: RecentEntries,
): Promise<string> {
  const log = await pull(kv, graph, version(since), recent);
  assert.ok(log !== undefined);
  return (await pullFrame(log)).text;
}

/** What a client of this process gets. */
function pulled({ kv, recent }: Process, graph: GraphId, since: number): Promise<string> {
  return pullText(kv, graph, since, recent);
}

/** What it gets of any other. */
function stored({ kv }: Process, graph: GraphId, since: number): Promise<string> {
  return pullText(kv, graph, since);
}

Deno.test("What this process has written is pulled without a look into the log, byte for byte", async () => {
  using store = await Deno.openKv(":memory:");
  const { kv, take } = counted(store);
  const server = new Process(kv);
  const graph = await server.createGraph();
  await sendBlocks(server, graph, 0, 3, 'a "block" ü \ud800');
  for (let since = 0; since <= 4; since++) {
    take();
    const text = await pulled(server, graph, since);
    assert.deepEqual(take(), { ...NOTHING, gets: 1 });
    assert.equal(text, await stored(server, graph, since));
  }
});

Deno.test("What another process has written is read, whoever wrote before and after it", async () => {
  using kv = await Deno.openKv(":memory:");
  const [server, other] = [new Process(kv), new Process(kv)];
  const graph = await server.createGraph();
  await sendBlocks(server, graph, 0, 2);
  await sendBlocks(other, graph, 2, 2);
  for (const since of [0, 1, 2, 3]) {
    assert.equal(await pulled(server, graph, since), await stored(server, graph, since));
  }
  await sendBlocks(server, graph, 4, 2);
  for (const since of [0, 3, 4, 5]) {
    assert.equal(await pulled(server, graph, since), await stored(server, graph, since));
  }
});

Deno.test("Nothing of before a reset is pulled after it", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const graph = await server.createGraph();
  await sendBlocks(server, graph, 0, 2, "before");
  await openGraphs({ kv, stores: openBlobStores(kv), now: () => 0 }).reset(graph);
  assert.deepEqual(JSON.parse(await pulled(server, graph, 0)), { type: "pull/ok", t: 0, txs: [] });
  await sendBlocks(new Process(kv), graph, 0, 2, "after");
  const { txs } = await logOf(kv, graph);
  assert.deepEqual(JSON.parse(await pulled(server, graph, 0)).txs, txs);
  assert.ok(txs.every(({ tx }) => tx.includes("after")));
});

Deno.test("Of a graph a few batches are kept, and none that are long", async () => {
  using store = await Deno.openKv(":memory:");
  const { kv, take } = counted(store);
  const server = new Process(kv);
  const graph = await server.createGraph();
  const lists = async (since: number): Promise<number> => {
    take();
    const text = await pulled(server, graph, since);
    const count = take().lists;
    assert.equal(text, await stored(server, graph, since));
    return count;
  };
  await sendBlocks(server, graph, 0, 60);
  assert.equal(await lists(10), 0);
  assert.equal(await lists(9), 1);
  await sendBlocks(server, graph, 60, 1, "long ".repeat(20_000));
  assert.equal(await lists(60), 1);
  await sendBlocks(server, graph, 61, 2);
  assert.equal(await lists(61), 0);
  assert.equal(await lists(60), 1);
});
