import assert from "node:assert/strict";
import { Datom, TX0 } from "../../datascript/datom.ts";
import { encodeTail, encodeTailTx } from "../../datascript/root.ts";
import { Uuid } from "../../datascript/value.ts";
import { commitOrThrow } from "../../kv/commit.ts";
import { rowKey } from "../../kv/keys.ts";
import { parseAddr, ROOT_ADDR } from "../../protocol/ids.ts";
import { RowMissingError } from "../../sync/database.ts";
import { flush, type FlushDeps } from "../../sync/flush.ts";
import { NodeCache } from "../../sync/node_cache.ts";
import { sweepFlushes } from "../../sync/sweep.ts";
import { Turns } from "../../sync/turns.ts";
import { loggerFor } from "../../telemetry/log.ts";
import { counted, NOTHING } from "../support/counted_kv.ts";
import { readCases, readRows } from "../support/fixtures.ts";
import { blockTx, txOf } from "../support/forms.ts";
import { dump } from "../support/kv.ts";
import { headOf, logOf, Process, rowsOf } from "../support/process.ts";

const UUID = "6f1e2d3c-0000-4000-8000-000000000002";

/** What a process flushes with. */
function flushing({ kv, databases, now }: Process): FlushDeps {
  return { kv, databases, turns: new Turns(), log: loggerFor("test"), now };
}

Deno.test("A node cache that holds nothing changes no answer, no log and no database", async () => {
  using kv = await Deno.openKv(":memory:");
  using reference = await Deno.openKv(":memory:");
  const poor = new Process(kv, { nodes: new NodeCache(1) });
  const rich = new Process(reference);
  const rows = readRows("small-a");
  const [graph, same] = [await poor.graphWith(rows), await rich.graphWith(rows)];
  for (const { request: { t_before, txs } } of readCases("small-a").slice(0, 60)) {
    if (t_before < 0) continue;
    assert.deepEqual(
      await poor.send(graph, t_before, ...txs),
      await rich.send(same, t_before, ...txs),
    );
  }
  assert.deepEqual(await logOf(kv, graph), await logOf(reference, same));
  assert.deepEqual(await poor.datoms(graph), await rich.datoms(same));
});

Deno.test("A batch that needs a row that is missing fails, changes nothing, and passes once it is there", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const rows = readRows("small-a");
  const graph = await server.graphWith(rows);
  const { rows: generation } = await headOf(kv, graph);
  const gone = rows.filter(([addr]) => addr > 1);
  for (const [number] of gone) {
    const addr = parseAddr(number);
    assert.ok(addr !== undefined);
    await commitOrThrow(kv, {
      sets: [],
      deletes: [rowKey({ graph, generation, addr, part: 0 })],
    });
  }
  const before = await dump(kv);
  for (let i = 0; i < 2; i++) {
    await assert.rejects(server.send(graph, 0, blockTx(UUID, "x")), RowMissingError);
  }
  assert.deepEqual(await dump(kv), before);
  await server.import(graph, gone);
  await server.write(graph, 0, blockTx(UUID, "x"));
});

Deno.test("A graph of batches whose root is lost is not taken for an empty one", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const graph = await server.createGraph();
  await server.write(graph, 0, blockTx(UUID, "first"));
  const { rows: generation } = await headOf(kv, graph);
  await kv.delete(rowKey({ graph, generation, addr: ROOT_ADDR, part: 0 }));
  const before = await dump(kv);
  for (const process of [server, new Process(kv)]) {
    await assert.rejects(process.send(graph, 1, blockTx(UUID, "second")), RowMissingError);
  }
  assert.deepEqual(await dump(kv), before);
});

/**
 * Reads of a batch on a graph of 60,000 datoms that nobody has opened: measured are 8 to 34 for the
 * batches below, 12 in the middle.
 */
const MEASURED = 34;
const SLACK = 10;

Deno.test("A batch on a graph that is not in memory costs few reads, each of many nodes", async () => {
  using store = await Deno.openKv(":memory:");
  const setup = new Process(store);
  const graph = await setup.graphWith(readRows("medium-a"));
  const cases = readCases("medium-a").filter(({ response }) => response.type === "tx/batch/ok");
  const costs: number[] = [];
  for (const { request: { t_before, txs } } of cases.slice(0, 40)) {
    const { kv, take } = counted(store);
    const cold = new Process(kv);
    assert.equal((await cold.send(graph, t_before, ...txs))?.type, "tx/batch/ok");
    const { gets, getManys, lists, commits } = take();
    assert.equal(commits, 1);
    costs.push(gets + getManys + lists);
  }
  assert.ok(Math.max(...costs) <= MEASURED + SLACK, costs.join(" "));
});

Deno.test("A graph is opened once: who asks again at the same head reads nothing", async () => {
  using store = await Deno.openKv(":memory:");
  const { kv, take } = counted(store);
  const server = new Process(kv);
  const graph = await server.graphWith(readRows("small-a"));
  const head = await headOf(store, graph);
  await server.databases.open(head);
  take();
  const { db } = await server.databases.open(head);
  assert.deepEqual(take(), NOTHING);
  assert.equal((await server.databases.open(head)).db, db);
});

Deno.test("A graph without rows is founded with its first batch, in the same commit", async () => {
  using store = await Deno.openKv(":memory:");
  const { kv, take } = counted(store);
  const server = new Process(kv);
  const graph = await server.createGraph();
  await server.databases.open(await headOf(store, graph));
  assert.deepEqual(await rowsOf(store, graph), []);
  take();
  await server.write(graph, 0, blockTx(UUID, "first"));
  assert.equal(take().commits, 1);
  const rows = await rowsOf(store, graph);
  assert.equal(rows.length, 4);
  await server.write(graph, 1, blockTx(UUID, "second"));
  assert.deepEqual(await rowsOf(store, graph), rows);
  assert.deepEqual(await new Process(store).datoms(graph), await server.datoms(graph));
});

Deno.test("A graph of a few rows without a root is founded above them", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const graph = await server.createGraph();
  await server.import(graph, [[2_000_000, "spare", null]]);
  await server.write(graph, 0, blockTx(UUID, "first"));
  const rows = await rowsOf(kv, graph);
  assert.deepEqual(rows.map(([addr]) => addr), [0, 2_000_000, 2_000_001, 2_000_002, 2_000_003]);
  assert.equal(rows[1]?.[1], "spare");
});

Deno.test("What other processes have written and flushed is in the database that is opened next", async () => {
  using kv = await Deno.openKv(":memory:");
  const nodes = (): NodeCache => new NodeCache(1);
  const here = new Process(kv, { nodes: nodes() });
  const there = new Process(kv, { nodes: nodes() });
  const graph = await here.graphWith(readRows("small-a"));
  const assertSame = async (): Promise<void> => {
    const fresh = new Process(kv);
    const head = await headOf(kv, graph);
    const { db } = await here.databases.open(head);
    assert.equal(db.maxTx, (await fresh.databases.open(head)).db.maxTx);
    assert.deepEqual(await here.datoms(graph), await fresh.datoms(graph));
  };
  await here.write(graph, 0, blockTx(UUID, "1"));
  await there.write(graph, 1, blockTx(UUID, "2"), blockTx(UUID, "3"));
  await assertSame();
  await there.write(graph, 3, blockTx(UUID, "4"));
  assert.equal((await flush(flushing(there), graph))?.kind, "done");
  // Nodes that its database was made of here are gone.
  await sweepFlushes(kv, { now: () => 1_000_000, graceMs: 0 });
  await assertSame();
  await here.write(graph, 4, blockTx(UUID, "5"));
  await assertSame();
});

Deno.test("Who asks at a head before the last gets the database of that one", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const graph = await server.graphWith(readRows("small-a"));
  await server.write(graph, 0, blockTx(UUID, "1"));
  const before = await headOf(kv, graph);
  const title = async (): Promise<unknown> => {
    const open = await server.databases.open(before);
    return await server.databases.run(open, () => {
      const e = open.db.holder("block/uuid", new Uuid(UUID));
      return e === undefined ? undefined : open.db.value(e, "block/title");
    });
  };
  await server.write(graph, 1, blockTx(UUID, "2"));
  assert.equal(await title(), "1");
});

Deno.test("What is imported into rows that a process has open, and their tail, is in its database", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const rows = readRows("small-a");
  const graph = await server.graphWith(rows);
  const byUuid = txOf(["~:db/add", ["~:block/uuid", `~u${UUID}`], "~:block/title", "found"]);
  assert.deepEqual(await server.send(graph, 0, byUuid), {
    type: "tx/reject",
    reason: "invalid tx",
  });
  const tail = encodeTailTx([new Datom(900_000, "block/uuid", new Uuid(UUID), TX0 + 900, true)]);
  await server.import(graph, [[1, encodeTail([tail]), null]]);
  await server.write(graph, 0, byUuid);
});

Deno.test("A batch that is refused on a graph that is not in memory is refused as on one that is", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await new Process(kv).graphWith(readRows("medium-a"));
  const missing = ["~:block/uuid", `~u${UUID}`];
  const batch = txOf(
    ["~:db/retractEntity", 100],
    ["~:db/add", missing, "~:block/title", "x"],
  );
  assert.deepEqual(await new Process(kv).send(graph, 0, batch), {
    type: "tx/reject",
    reason: "invalid tx",
  });
});

Deno.test("Nodes that a batch needed are kept no longer than the cache keeps them", async () => {
  using store = await Deno.openKv(":memory:");
  const { kv, take } = counted(store);
  const server = new Process(kv, { nodes: new NodeCache(1) });
  const graph = await server.graphWith(readRows("small-a"));
  for (let t = 0; t < 3; t++) {
    take();
    await server.write(graph, t, blockTx(UUID, `${t}`));
    assert.ok(take().getManys > 0, `batch ${t}`);
  }
});

Deno.test("A flushed graph whose root is lost is not opened at the one that was imported", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const graph = await server.graphWith(readRows("small-a"));
  await server.write(graph, 0, blockTx(UUID, "first"));
  assert.equal((await flush(flushing(server), graph))?.kind, "done");
  for await (const { key } of kv.list({ prefix: ["root", graph] })) await kv.delete(key);
  const before = await dump(kv);
  await assert.rejects(new Process(kv).send(graph, 1, blockTx(UUID, "second")), RowMissingError);
  assert.deepEqual(await dump(kv), before);
});
