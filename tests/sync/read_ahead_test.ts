import assert from "node:assert/strict";
import { bytesSet } from "../../kv/change.ts";
import { commitOrThrow } from "../../kv/commit.ts";
import { rowKey } from "../../kv/keys.ts";
import { parseAddr } from "../../protocol/ids.ts";
import { NodeCache } from "../../sync/node_cache.ts";
import { counted, type CountedKv, NOTHING } from "../support/counted_kv.ts";
import { readBatches, readRows } from "../support/fixtures.ts";
import { headOf, Process } from "../support/process.ts";

type Cost = ReturnType<CountedKv["take"]>;

interface Played {
  readonly costs: readonly Cost[];
  /** Sends so many more. */
  readonly goOn: (count: number) => Promise<readonly Cost[]>;
  readonly server: Process;
}

/** Sends the first recorded batches of a set, to a graph that is new to the process; tells what each cost. */
async function play(
  { kv, take }: CountedKv,
  set: string,
  count: number,
  nodes?: NodeCache,
): Promise<Played> {
  const graph = await new Process(kv).graphWith(readRows(`variety-${set}`));
  const server = new Process(kv, nodes && { nodes });
  const accepted = readBatches(`ops-${set}`).filter(({ response }) =>
    response.type === "tx/batch/ok"
  );
  let t = 0;
  const goOn = async (more: number): Promise<readonly Cost[]> => {
    take();
    const costs: Cost[] = [];
    for (const { txs } of accepted.slice(t, t + more)) {
      assert.deepEqual(await server.send(graph, t, ...txs), { type: "tx/batch/ok", t: t + 1 });
      costs.push(take());
      t++;
    }
    return costs;
  };
  return { costs: await goOn(count), goOn, server };
}

/** Reads of many keys for root and tail row. */
const ITS_BASE = 1;

Deno.test("A small graph is read as a whole with its first batch, and never again", async () => {
  using store = await Deno.openKv(":memory:");
  const { costs: [first, ...others] } = await play(counted(store), "small", 40);
  assert.deepEqual([first?.getManys, first?.lists], [ITS_BASE, 2]);
  for (const cost of others) assert.deepEqual(cost, { ...NOTHING, commits: 1 });
});

Deno.test("A larger graph is read beside its batches once some have lacked nodes", async () => {
  using store = await Deno.openKv(":memory:");
  const kv = counted(store);
  const { costs, goOn, server } = await play(kv, "medium", 3);
  assert.ok(costs.every(({ listed }) => listed < 100), "patience");
  const sooner = await goOn(20);
  await server.databases.idle();
  const { listed } = kv.take();
  const rows = readRows("variety-medium").length;
  const all = sooner.reduce((sum, cost) => sum + cost.listed, listed);
  assert.ok(all >= rows - 2 && all < rows + 200, `${all} of ${rows}`);
  for (const { getManys, lists } of await goOn(40)) assert.deepEqual([getManys, lists], [0, 0]);
});

Deno.test("Nothing is read ahead that would take more than a share of the cache", async () => {
  using store = await Deno.openKv(":memory:");
  const { costs } = await play(counted(store), "small", 20, new NodeCache(2_000_000));
  assert.ok(costs.every(({ listed }) => listed < 100));
});

Deno.test("A graph is read ahead also where the cache is full of others", async () => {
  using store = await Deno.openKv(":memory:");
  const nodes = new NodeCache(2_500_000);
  const played: Played[] = [];
  while (played.length < 5) played.push(await play(counted(store), "small", 3, nodes));
  for (const { costs } of played) {
    assert.deepEqual(costs.map(({ getManys }) => getManys), [ITS_BASE, 0, 0]);
    assert.deepEqual(costs.map(({ lists }) => lists), [2, 0, 0]);
  }
  // Whose rows have gone again reads those that it needs alone.
  const [again] = await played[0]?.goOn(1) ?? [];
  assert.equal(again?.lists, 0);
  assert.ok(again.getManys > 0);
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
