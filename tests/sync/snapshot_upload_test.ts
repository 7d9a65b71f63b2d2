import assert from "node:assert/strict";
import { openBlobStores } from "../../assets/open.ts";
import { emptyRoot } from "../../datascript/stored.ts";
import { encodeNode } from "../../datascript/node.ts";
import { encodeRoot } from "../../datascript/root.ts";
import { createGraph, readMeta } from "../../kv/graphs.ts";
import { parseGarbageKey } from "../../kv/keys.ts";
import { LOGSEQ_SCHEMA } from "../../logseq/schema.ts";
import { type GraphId, newGraphId, parseAddr, type UserId } from "../../protocol/ids.ts";
import { pull } from "../../sync/pull.ts";
import { pullFrame } from "../../sync/pull_answer.ts";
import { openGraphs } from "../../sync/graphs.ts";
import { ImportedRows } from "../../sync/import.ts";
import { sweepGarbage } from "../../sync/sweep.ts";
import { upload, type UploadOutcome } from "../../sync/snapshot_upload.ts";
import { type FixtureRow, readRows } from "../support/fixtures.ts";
import { datomsOf } from "../support/client.ts";
import { blockTx } from "../support/forms.ts";
import {
  beforeFirstList,
  dump,
  keysOf,
  killedAt,
  losingEach,
  LOST,
  withCommit,
} from "../support/kv.ts";
import { openFixture } from "../support/memory_db.ts";
import { noise } from "../support/noise.ts";
import { ALICE, BOB, headOf, importedOf, Process, rowsOf, version } from "../support/process.ts";
import { parseTodaysMessage } from "../support/today.ts";

const SMALL = readRows("small-a");
const OTHER = readRows("variety-small");

/** Few rows, and more than a commit holds: a database of no datoms, and rows beside it. */
const FEW: readonly FixtureRow[] = [
  [0, encodeRoot(emptyRoot(LOGSEQ_SCHEMA), { eavt: 10, aevt: 11, avet: 12 }), null],
  ...[10, 11, 12].map((addr): FixtureRow => [addr, encodeNode([]).content, null]),
  ...Array.from({ length: 14 }, (_, i): FixtureRow => [20 + i, noise(110_000), null]),
];

interface Call {
  readonly by?: UserId;
  readonly reset?: boolean;
  readonly finished?: boolean;
}

async function send(
  kv: Deno.Kv,
  graph: GraphId,
  rows: readonly FixtureRow[],
  { by = ALICE, reset = false, finished = false }: Call = {},
  now = 2000,
): Promise<UploadOutcome> {
  const imported = new ImportedRows();
  for (const [addr, content, addresses] of rows) {
    const parsed = parseAddr(addr);
    assert.ok(parsed !== undefined);
    imported.add([parsed, content, addresses]);
  }
  return await upload({ kv, now: () => now }, graph, { by, reset, finished, rows: imported });
}

/** Sends rows in calls of this many, the first with `reset`, the last `finished`. */
async function sendAll(
  kv: Deno.Kv,
  graph: GraphId,
  rows: readonly FixtureRow[],
  size: number,
  by = ALICE,
): Promise<UploadOutcome> {
  for (let start = 0;; start += size) {
    const finished = start + size >= rows.length;
    const some = rows.slice(start, start + size);
    const outcome = await send(kv, graph, some, { by, reset: start === 0, finished });
    if (finished) return outcome;
    assert.equal(outcome, "staged");
  }
}

/** A graph that waits for its upload. */
async function unready(kv: Deno.Kv): Promise<GraphId> {
  const graph = newGraphId();
  await createGraph(kv, graph, { owner: ALICE, name: "notes", createdAt: 0, readyForUse: false });
  return graph;
}

/** A graph at version 1. */
async function oldGraph(kv: Deno.Kv): Promise<GraphId> {
  const server = new Process(kv);
  const graph = await server.createGraph();
  await server.write(graph, 0, blockTx(crypto.randomUUID(), "old"));
  return graph;
}

/** All that can be told of a graph by asking. */
async function stateOf(kv: Deno.Kv, graph: GraphId): Promise<unknown> {
  const { t } = await headOf(kv, graph);
  const ready = (await readMeta(kv, graph))?.readyForUse !== false;
  const log = await pull(kv, graph, version(0));
  assert.ok(log !== undefined);
  const pulled = parseTodaysMessage((await pullFrame(log)).text);
  assert.ok(pulled?.type === "pull/ok");
  return { t, ready, txs: pulled.txs, rows: await rowsOf(kv, graph) };
}

/** The state of a graph just after an upload of these rows. */
function uploaded(rows: readonly FixtureRow[]): unknown {
  return { t: 0, ready: true, txs: [], rows };
}

/** Nothing is stored but what the head refers to, and that a graph waits for its upload. */
async function assertOnlyLive(kv: Deno.Kv, graph: GraphId): Promise<void> {
  const { log, rows } = await headOf(kv, graph);
  for (const key of await keysOf(kv)) {
    if (["graph", "owned", "head", "unready"].includes(String(key[0]))) continue;
    assert.equal(parseGarbageKey(key), undefined);
    assert.ok(key[2] === log || key[2] === rows, JSON.stringify(key));
  }
}

for (const set of ["small-a", "variety-small"]) {
  Deno.test(`An upload of ${set} by several calls is the graph, row by row, and can be written on`, async () => {
    using kv = await Deno.openKv(":memory:");
    const graph = await unready(kv);
    const rows = readRows(set);
    assert.equal(await sendAll(kv, graph, rows, 500), "finished");
    assert.deepEqual(await stateOf(kv, graph), uploaded(rows));
    await assertOnlyLive(kv, graph);
    await new Process(kv).write(graph, 0, blockTx(crypto.randomUUID(), "new"));
  });
}

Deno.test("A graph is as it was until the last call, and other processes see no row", async () => {
  using kv = await Deno.openKv(":memory:");
  for (const graph of [await oldGraph(kv), await unready(kv)]) {
    const before = await stateOf(kv, graph);
    for (let i = 0; i < 6; i++) {
      const some = SMALL.slice(i * 100, (i + 1) * 100);
      assert.equal(await send(kv, graph, some, { reset: i === 0 }), "staged");
      assert.deepEqual(await stateOf(kv, graph), before);
    }
    assert.equal(await send(kv, graph, SMALL.slice(600), { finished: true }), "finished");
    assert.deepEqual(await stateOf(kv, graph), uploaded(SMALL));
  }
});

for (const made of [true, false]) {
  const cut = made ? "after" : "before";
  Deno.test(`An upload that is cut off ${cut} any commit leaves a whole graph, and nothing once swept`, async () => {
    let cuts = 0;
    for (const create of [oldGraph, unready]) {
      for (let n = 0;; n++) {
        using kv = await Deno.openKv(":memory:");
        const graph = await create(kv);
        const before = JSON.stringify(await stateOf(kv, graph));
        const killed = await killedAt(kv, n, made, (dying) => sendAll(dying, graph, FEW, 14));
        if (!killed) break;
        cuts++;
        const now = JSON.stringify(await stateOf(kv, graph));
        assert.ok(now === before || now === JSON.stringify(uploaded(FEW)), `at commit ${n}`);
        await sweepGarbage(kv, { now: () => 3000, graceMs: 0 });
        assert.equal(JSON.stringify(await stateOf(kv, graph)), now);
        await assertOnlyLive(kv, graph);
        assert.equal(await send(kv, graph, FEW), "not begun");
        assert.equal(await sendAll(kv, graph, FEW, 16), "finished");
        assert.deepEqual(await stateOf(kv, graph), uploaded(FEW));
      }
    }
    assert.ok(cuts > 10, `${cuts} cuts`);
  });
}

Deno.test("An upload of which any commit's answer is lost is done as if it were not", async () => {
  await losingEach(async (store, losing) => {
    const graph = await oldGraph(store);
    assert.equal(await sendAll(losing, graph, FEW, 14), "finished");
    assert.deepEqual(await stateOf(store, graph), uploaded(FEW));
  });
});

Deno.test("Sockets are told once of an upload that has ended, though its answer is lost, and nothing waits for it any more", async () => {
  const { "was made": lost, "was made, and is told as a conflict": conflict } = LOST;
  for (const lose of [undefined, lost, conflict]) {
    using store = await Deno.openKv(":memory:");
    const graph = await unready(store);
    const told: unknown[] = [];
    // It begins, stages its rows, and makes them the graph's.
    const kv = withCommit(
      store,
      (commit, before) => before === 2 && lose !== undefined ? lose(commit) : commit(),
    );
    const deps = { kv, now: () => 2000, ended: (...end: unknown[]) => void told.push(end) };
    const call = { by: ALICE, reset: true, finished: true, rows: importedOf([]) };
    assert.equal(await upload(deps, graph, call), "finished");
    assert.deepEqual(told, [[graph, "reset"]]);
    assert.ok(!(await keysOf(store)).some(([name]) => name === "unready" || name === "upload"));
  }
});

Deno.test("An upload whose last commit was made, with its answer lost, is not made again after another's rows", async () => {
  using store = await Deno.openKv(":memory:");
  const graph = await unready(store);
  const others: FixtureRow = [6, "others'", null];
  const kv = withCommit(store, async (commit, before) => {
    const made = await commit();
    if (before !== 2) return made;
    await new Process(store).import(graph, [others], true);
    throw new Error("connection lost");
  });
  assert.equal(await send(kv, graph, [], { reset: true, finished: true }), "finished");
  assert.deepEqual(await rowsOf(store, graph), [others]);
});

Deno.test("An upload whose last commit is not made, with its answer lost, and which is swept then has not ended", async () => {
  for (const old of [unready, oldGraph]) {
    using store = await Deno.openKv(":memory:");
    const graph = await old(store);
    const before = await stateOf(store, graph);
    // It begins, stages its rows in two commits, and makes them the graph's.
    const kv = withCommit(store, async (commit, made) => {
      if (made !== 3) return await commit();
      await sweepGarbage(store, { now: () => Number.MAX_SAFE_INTEGER });
      throw new Error("connection lost");
    });
    assert.equal(await send(kv, graph, FEW, { reset: true, finished: true }), "not begun");
    assert.deepEqual(await stateOf(store, graph), before);
  }
});

Deno.test("Each call may be sent again, the last until somebody writes", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await unready(kv);
  const [first, second, last] = [SMALL.slice(0, 300), SMALL.slice(300, 600), SMALL.slice(600)];
  for (let i = 0; i < 2; i++) await send(kv, graph, first, { reset: true });
  for (let i = 0; i < 2; i++) await send(kv, graph, second);
  assert.equal(await send(kv, graph, last, { finished: true }), "finished");
  await sweepGarbage(kv, { now: () => 3000, graceMs: 0 });
  await assertOnlyLive(kv, graph);
  assert.equal(await send(kv, graph, last, { finished: true }), "finished");
  assert.equal(await send(kv, graph, second, { finished: false }), "not begun");
  const [row] = last;
  assert.ok(row !== undefined);
  assert.equal(await send(kv, graph, [[row[0], "other", null]], { finished: true }), "not begun");
  assert.deepEqual(await stateOf(kv, graph), uploaded(SMALL));
});

Deno.test("An upload's beginning that was sent to another process meanwhile ends none that was made there", async () => {
  using store = await Deno.openKv(":memory:");
  const graph = await unready(store);
  const call = { reset: true, finished: true };
  const kv = withCommit(store, async (commit, before) => {
    if (before === 0) {
      assert.equal(await send(store, graph, SMALL, call), "finished");
      await new Process(store).write(graph, 0, blockTx(crypto.randomUUID(), "one"));
    }
    return await commit();
  });
  assert.equal(await send(kv, graph, SMALL, call), "not begun");
  assert.equal((await headOf(store, graph)).t, 1);
});

Deno.test("An upload's beginning that comes to nothing ends none that is under way", async () => {
  using store = await Deno.openKv(":memory:");
  const server = new Process(store);
  const graph = await server.graphWith(OTHER);
  assert.equal(await send(store, graph, FEW.slice(0, 2), { by: BOB, reset: true }), "staged");
  const kv = withCommit(store, async (commit, before) => {
    if (before === 0) await server.import(graph, [], true);
    return await commit();
  });
  assert.equal(await send(kv, graph, SMALL, { reset: true }), "not begun");
  const rest = { by: BOB, finished: true };
  assert.equal(await send(store, graph, FEW.slice(2), rest), "finished");
});

Deno.test("A row that is sent again counts as it came last", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await unready(kv);
  const [root, ...rest] = SMALL;
  assert.ok(root !== undefined);
  await send(kv, graph, [[0, noise(200_000), null]], { reset: true });
  await send(kv, graph, rest);
  assert.equal(await send(kv, graph, [root], { finished: true }), "finished");
  assert.deepEqual(await stateOf(kv, graph), uploaded(SMALL));
});

Deno.test("Calls of one upload may come side by side", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await unready(kv);
  await send(kv, graph, SMALL.slice(0, 50), { reset: true });
  const calls = Array.from({ length: 8 }, (_, i) => SMALL.slice(50 + i * 100, 150 + i * 100));
  const outcomes = await Promise.all(calls.map((rows) => send(kv, graph, rows)));
  assert.deepEqual(outcomes, outcomes.map(() => "staged"));
  assert.equal(await send(kv, graph, [], { finished: true }), "finished");
  assert.deepEqual(await stateOf(kv, graph), uploaded(SMALL));
});

Deno.test("Without an upload of the caller's there is nothing to go on with", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await unready(kv);
  assert.equal(await send(kv, graph, SMALL), "not begun");
  assert.equal(await send(kv, graph, SMALL, { finished: true }), "not begun");
  await send(kv, graph, SMALL.slice(0, 300), { reset: true });
  assert.equal(await send(kv, graph, SMALL.slice(300), { by: BOB, finished: true }), "not begun");
  assert.equal(await send(kv, graph, SMALL.slice(300), { finished: true }), "finished");
  assert.deepEqual(await stateOf(kv, graph), uploaded(SMALL));
  assert.equal(await send(kv, newGraphId(), SMALL, { reset: true, finished: true }), "gone");
});

Deno.test("An upload takes the place of one that is under way, of which nothing is left", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await unready(kv);
  await send(kv, graph, OTHER.slice(0, 300), { by: BOB, reset: true });
  await send(kv, graph, SMALL.slice(0, 300), { reset: true });
  assert.equal(await send(kv, graph, OTHER.slice(300), { by: BOB, finished: true }), "not begun");
  assert.equal(await send(kv, graph, SMALL.slice(300), { finished: true }), "finished");
  assert.deepEqual(await stateOf(kv, graph), uploaded(SMALL));
  await assertOnlyLive(kv, graph);
});

Deno.test("Of two uploads of one user that are mixed, in whatever way, none comes out mixed", async () => {
  const callsOf = (rows: readonly FixtureRow[]): readonly [readonly FixtureRow[], Call][] => [
    [rows.slice(0, 200), { reset: true }],
    [rows.slice(200, 400), {}],
    [rows.slice(400), { finished: true }],
  ];
  const both = [callsOf(SMALL), callsOf(OTHER)] as const;
  const [small, others] = ["small-a", "variety-small"].map((set) => datomsOf(openFixture(set)));
  // Each order of two times three calls is a number of six bits, three of them set; by symmetry
  // half of them will do.
  const orders = Array.from({ length: 32 }, (_, bits) => bits.toString(2).padStart(6, "0"))
    .filter((bits) => bits.replaceAll("0", "").length === 3);
  const seen = new Set<string>();
  for (const order of orders) {
    using kv = await Deno.openKv(":memory:");
    const graph = await unready(kv);
    const next: [number, number] = [0, 0];
    for (const bit of order) {
      const [rows, call] = both[bit === "0" ? 0 : 1][next[bit === "0" ? 0 : 1]++] ?? [[], {}];
      seen.add(await send(kv, graph, rows, call));
    }
    const { readyForUse } = await readMeta(kv, graph) ?? {};
    const datoms = await new Process(kv).datoms(graph);
    const whole = readyForUse ? [small, others] : [[]];
    assert.ok(whole.some((one) => `${one}` === `${datoms}`), `in the order ${order}`);
  }
  assert.equal(orders.length, 10);
  assert.deepEqual([...seen].sort(), ["finished", "not begun", "staged", "unfit"]);
});

Deno.test("Two uploads that run side by side leave one of them whole", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await unready(kv);
  await Promise.allSettled([
    sendAll(kv, graph, SMALL, 100, ALICE),
    sendAll(kv, graph, OTHER, 100, BOB),
  ]);
  const rows = await rowsOf(kv, graph);
  assert.ok([SMALL, OTHER].some((one) => JSON.stringify(rows) === JSON.stringify(one)));
});

Deno.test("Rows that are no database are refused, and the upload can still be completed", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await oldGraph(kv);
  const before = await stateOf(kv, graph);
  const without = (addr: number): readonly FixtureRow[] => SMALL.filter((row) => row[0] !== addr);
  const leaf = SMALL.find(([addr, , addresses]) => addr > 1 && addresses === null);
  const branch = SMALL.find(([, , addresses]) => addresses !== null);
  assert.ok(leaf !== undefined && branch !== undefined);
  const [address] = JSON.parse(branch[2] ?? "");
  const wrong: readonly (readonly FixtureRow[])[] = [
    without(0),
    without(leaf[0]),
    without(branch[0]),
    [...without(0), [0, "no root", null]],
    [...without(1), [1, "no tail", null]],
    [...without(leaf[0]), [leaf[0], "no node", null]],
    [...without(branch[0]), [branch[0], branch[1], "no addresses"]],
    [...without(branch[0]), [branch[0], branch[1], null]],
    [...without(branch[0]), [branch[0], branch[1], branch[2]?.replace(address, "7") ?? null]],
    [...without(branch[0]), [
      branch[0],
      branch[1],
      branch[2]?.replace(address, `${branch[0]}`) ?? null,
    ]],
  ];
  for (const [i, rows] of wrong.entries()) {
    const outcome = await send(kv, graph, rows, { reset: true, finished: true });
    assert.equal(outcome, "unfit", `${i}`);
    assert.deepEqual(await stateOf(kv, graph), before);
  }
  await send(kv, graph, without(leaf[0]), { reset: true, finished: true });
  assert.equal(await send(kv, graph, [leaf], { finished: true }), "finished");
  assert.deepEqual(await stateOf(kv, graph), uploaded(SMALL));
});

Deno.test("An upload of no rows is an empty graph", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await unready(kv);
  assert.equal(await send(kv, graph, [], { reset: true, finished: true }), "finished");
  assert.deepEqual(await stateOf(kv, graph), uploaded([]));
});

Deno.test("A batch that is accepted before any commit of an upload is gone after it", async () => {
  for (let n = 0, done = false; !done; n++) {
    using store = await Deno.openKv(":memory:");
    const graph = await oldGraph(store);
    done = true;
    const kv = withCommit(store, async (commit, before) => {
      if (before === n && (await headOf(store, graph)).t === 1) {
        done = false;
        await new Process(store).write(graph, 1, blockTx(crypto.randomUUID(), "meanwhile"));
      }
      return await commit();
    });
    assert.equal(await sendAll(kv, graph, FEW, 14), "finished");
    assert.deepEqual(await stateOf(store, graph), uploaded(FEW));
  }
});

Deno.test("A row that comes while the rows are looked at is looked at too, or comes too late", async () => {
  const [root] = FEW;
  assert.ok(root !== undefined);
  const seen = new Set<string>();
  for (let n = 0; n < 6; n++) {
    using store = await Deno.openKv(":memory:");
    const graph = await unready(store);
    const kv = withCommit(store, async (commit, before) => {
      if (before === n) await send(store, graph, [[0, "no root", null]]);
      return await commit();
    });
    const outcome = await send(kv, graph, FEW, { reset: true, finished: true });
    seen.add(outcome);
    const { readyForUse } = await readMeta(store, graph) ?? {};
    assert.equal(readyForUse, outcome === "finished");
    if (outcome === "finished") assert.deepEqual(await stateOf(store, graph), uploaded(FEW));
  }
  assert.deepEqual([...seen].sort(), ["finished", "unfit"]);
});

Deno.test("An upload whose place another takes while its rows are looked at is none any more", async () => {
  using store = await Deno.openKv(":memory:");
  const graph = await unready(store);
  await send(store, graph, SMALL, { reset: true });
  const kv = beforeFirstList(store, async () => {
    await send(store, graph, OTHER, { by: BOB, reset: true });
  });
  assert.equal(await send(kv, graph, [], { finished: true }), "not begun");
  assert.equal(await send(store, graph, [], { by: BOB, finished: true }), "finished");
});

Deno.test("An upload is swept a while after its last call, and not before", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await oldGraph(kv);
  const before = await dump(kv);
  await send(kv, graph, SMALL.slice(0, 300), { reset: true }, 2000);
  await send(kv, graph, SMALL.slice(300, 600), {}, 5000);
  assert.equal(await sweepGarbage(kv, { now: () => 6000, graceMs: 1500 }), 0);
  await send(kv, graph, SMALL.slice(300, 600), {}, 7000);
  assert.equal(await sweepGarbage(kv, { now: () => 9000, graceMs: 1500 }), 1);
  assert.equal(await send(kv, graph, SMALL.slice(600), { finished: true }), "not begun");
  assert.deepEqual(await dump(kv), before);
});

Deno.test("A graph that is removed while it is uploaded is gone, and the upload with it", async () => {
  using kv = await Deno.openKv(":memory:");
  const graphs = openGraphs({ kv, stores: openBlobStores(kv), now: () => 1000 });
  for (let n = 0; n < 8; n++) {
    const graph = await unready(kv);
    const dying = withCommit(kv, async (commit, before) => {
      if (before === n) await graphs.remove(graph);
      return await commit();
    });
    await sendAll(dying, graph, FEW, 14).catch(() => {});
    await graphs.remove(graph);
    assert.deepEqual(await keysOf(kv), []);
  }
});
