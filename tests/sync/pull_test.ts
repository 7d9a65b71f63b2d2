import assert from "node:assert/strict";
import { openBlobStores } from "../../assets/open.ts";
import { commitHead, readHead } from "../../kv/head.ts";
import { CorruptLogError, entryChange } from "../../kv/txlog.ts";
import {
  EMPTY_CHECKSUM,
  type GraphId,
  newGraphId,
  nextT,
  parseUserId,
} from "../../protocol/ids.ts";
import { openGraphs } from "../../sync/graphs.ts";
import { pull } from "../../sync/pull.ts";
import { pullFrame } from "../../sync/pull_answer.ts";
import { version } from "../support/ids.ts";
import { created } from "../support/created.ts";

/** A graph with this many entries in its log. */
async function graphWith(kv: Deno.Kv, entries: number): Promise<GraphId> {
  const owner = parseUserId("alice");
  assert.ok(owner !== undefined);
  const graph = await created(openGraphs({ kv, stores: openBlobStores(kv), now: () => 0 }), owner, {
    graph_name: "notes",
  });
  for (let i = 0; i < entries; i++) await append(kv, graph);
  return graph;
}

async function append(kv: Deno.Kv, graph: GraphId, op?: string): Promise<void> {
  const head = await readHead(kv, graph);
  assert.ok(head !== undefined);
  const t = nextT(head.t);
  const outlinerOp = op === undefined ? {} : { outlinerOp: op };
  const entry = { t, tx: `tx ${t}`, tail: "[]", writer: "w", ...outlinerOp };
  const outcome = await commitHead(kv, head, { ...head, t }, {
    sets: entryChange(graph, head.log, entry),
    deletes: [],
  });
  assert.equal(outcome.kind, "committed");
}

async function frame(kv: Deno.Kv, graph: GraphId, since: number): Promise<unknown> {
  const log = await pull(kv, graph, version(since));
  assert.ok(log !== undefined);
  return JSON.parse((await pullFrame(log)).text);
}

Deno.test("A pull has every entry after since, ascending, and the version that they reach", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await graphWith(kv, 3);
  const txs = [{ t: 1, tx: "tx 1" }, { t: 2, tx: "tx 2" }, { t: 3, tx: "tx 3" }];
  assert.deepEqual(await frame(kv, graph, 0), { type: "pull/ok", t: 3, txs });
  assert.deepEqual(await frame(kv, graph, 2), { type: "pull/ok", t: 3, txs: txs.slice(2) });
});

Deno.test("Of a graph that today's clients use a pull tells the checksum, and what each entry is for", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await graphWith(kv, 1);
  await append(kv, graph, "save-block");
  await append(kv, graph, '"');
  const txs = [
    { "t": 1, "tx": "tx 1", "outliner-op": null },
    { "t": 2, "tx": "tx 2", "outliner-op": "save-block" },
    { "t": 3, "tx": "tx 3", "outliner-op": '"' },
  ];
  for (const checksum of ["unknown", EMPTY_CHECKSUM] as const) {
    const head = await readHead(kv, graph);
    assert.ok(head !== undefined);
    await commitHead(kv, head, { ...head, checksum }, { sets: [], deletes: [] });
    assert.deepEqual(await frame(kv, graph, 0), {
      type: "pull/ok",
      t: 3,
      ...checksum !== "unknown" && { checksum },
      txs,
    });
  }
});

Deno.test("A pull since the graph's version or beyond has no entries", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await graphWith(kv, 2);
  for (const since of [2, 3, Number.MAX_SAFE_INTEGER]) {
    assert.deepEqual(await frame(kv, graph, since), { type: "pull/ok", t: 2, txs: [] });
  }
  assert.deepEqual(await frame(kv, await graphWith(kv, 0), 0), { type: "pull/ok", t: 0, txs: [] });
});

Deno.test("A pull of no graph says so", async () => {
  using kv = await Deno.openKv(":memory:");
  assert.equal(await pull(kv, newGraphId(), version(0)), undefined);
});

Deno.test("Entries that are added while a pull is read are not part of it", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await graphWith(kv, 2);
  const log = await pull(kv, graph, version(0));
  assert.ok(log !== undefined);
  await append(kv, graph);
  assert.equal(
    (await pullFrame(log)).text,
    '{"type":"pull/ok","t":2,"txs":[{"t":1,"tx":"tx 1"},{"t":2,"tx":"tx 2"}]}',
  );
});

Deno.test("A reset while a pull is read cuts it, and the next pull is of another log", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await graphWith(kv, 2);
  const log = await pull(kv, graph, version(0));
  assert.ok(log !== undefined);
  await openGraphs({ kv, stores: openBlobStores(kv), now: () => 0 }).reset(graph);
  await append(kv, graph);
  await append(kv, graph);
  await assert.rejects(pullFrame(log), CorruptLogError);
  const next = await pull(kv, graph, version(0));
  assert.ok(next !== undefined && next.generation !== log.generation);
});

Deno.test("A frame has as many entries as fit, and one that is longer; what it reaches follows from them", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await graphWith(kv, 5);
  const head = await readHead(kv, graph);
  assert.ok(head !== undefined);
  await commitHead(kv, head, { ...head, checksum: EMPTY_CHECKSUM }, { sets: [], deletes: [] });
  const reached = async (since: number, maxBytes: number): Promise<unknown> => {
    const log = await pull(kv, graph, version(since));
    assert.ok(log !== undefined);
    const { t, text } = await pullFrame(log, maxBytes);
    const { txs, ...told } = JSON.parse(text);
    assert.equal(told.t, t);
    return { ...told, txs: txs.map((entry: Record<string, unknown>) => entry.t) };
  };
  // Of 21 bytes each.
  assert.deepEqual(await reached(0, 1), { type: "pull/ok", t: 1, txs: [1] });
  assert.deepEqual(await reached(1, 22), { type: "pull/ok", t: 3, txs: [2, 3] });
  const whole = { type: "pull/ok", t: 5, checksum: EMPTY_CHECKSUM };
  assert.deepEqual(await reached(3, 22), { ...whole, txs: [4, 5] });
  assert.deepEqual(await reached(4, 1), { ...whole, txs: [5] });
  assert.deepEqual(await reached(5, 1), { ...whole, txs: [] });
});
