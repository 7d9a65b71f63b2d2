import assert from "node:assert/strict";
import { bytesSet, commitOrThrow } from "../../kv/commit.ts";
import { rowKey } from "../../kv/keys.ts";
import { parseAddr } from "../../protocol/ids.ts";
import { NodeCache } from "../../sync/node_cache.ts";
import { counted, type CountedKv, NOTHING } from "../support/counted_kv.ts";
import { readBatches, readRows } from "../support/fixtures.ts";
import { headOf, Process } from "../support/process.ts";

/** Sends the recorded batches of a set up to one; tells what each cost. */
async function play(
  { kv, take }: CountedKv,
  set: string,
  upTo: number,
  nodes?: NodeCache,
): Promise<readonly ReturnType<CountedKv["take"]>[]> {
  const graph = await new Process(kv).graphWith(readRows(`variety-${set}`));
  const server = new Process(kv, nodes && { nodes });
  const costs: ReturnType<CountedKv["take"]>[] = [];
  let t = 0;
  for (const { txs, response } of readBatches(`ops-${set}`).slice(0, upTo)) {
    if (response.type !== "tx/batch/ok") continue;
    take();
    assert.deepEqual(await server.send(graph, t, ...txs), { type: "tx/batch/ok", t: t + 1 });
    costs.push(take());
    t++;
  }
  return costs;
}

Deno.test("A small graph is read as a whole with its first batch, and never again", async () => {
  using store = await Deno.openKv(":memory:");
  const [first, ...others] = await play(counted(store), "small", 40);
  assert.equal(first?.getManys, 0);
  assert.equal(first?.lists, 1);
  for (const cost of others) assert.deepEqual(cost, { ...NOTHING, commits: 1 });
});

Deno.test("A larger graph is read on while batches lack nodes, until nothing is lacking", async () => {
  using store = await Deno.openKv(":memory:");
  const costs = await play(counted(store), "medium", 120);
  assert.ok(costs.slice(0, 3).every(({ listed }) => listed < 500), "patience");
  assert.ok(costs.every(({ lists }) => lists <= 2), "one list at a time");
  const rows = readRows("variety-medium").length;
  const listed = costs.reduce((sum, cost) => sum + cost.listed, 0);
  assert.ok(listed >= rows - 2 && listed < rows + 200, `${listed} of ${rows}`);
  // A flush may read the head meanwhile.
  for (const { getManys, lists } of costs.slice(-20)) assert.deepEqual([getManys, lists], [0, 0]);
});

Deno.test("Nothing is read ahead where the cache has no room for it", async () => {
  using store = await Deno.openKv(":memory:");
  const costs = await play(counted(store), "small", 20, new NodeCache(100_000));
  assert.ok(costs.every(({ listed }) => listed < 100));
});

Deno.test("A row that can't be read and that nobody needs hinders no batch", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const graph = await server.graphWith(readRows("variety-small"));
  const { rows: generation } = await headOf(kv, graph);
  const addr = parseAddr(3);
  assert.ok(addr !== undefined);
  await commitOrThrow(kv, {
    sets: [bytesSet(rowKey({ graph, generation, addr, part: 0 }), new Uint8Array(3))],
    deletes: [],
  });
  const [batch] = readBatches("ops-small");
  assert.ok(batch !== undefined);
  assert.deepEqual(await server.send(graph, 0, ...batch.txs), { type: "tx/batch/ok", t: 1 });
});
