import assert from "node:assert/strict";
import { openBlobStores } from "../../assets/open.ts";
import fc from "fast-check";
import { rowsAnswerSchema } from "../../protocol/http.ts";
import { type GraphId, newGeneration, newGraphId } from "../../protocol/ids.ts";
import type { Downloader } from "../../sync/downloads.ts";
import { openGraphs } from "../../sync/graphs.ts";
import type { GraphVersion } from "../../protocol/today/snapshot.ts";
import {
  openRowStream,
  RowsLostError,
  type RowStream,
  versionToStream,
} from "../../sync/row_stream.ts";
import { sweepFlushes } from "../../sync/sweep.ts";
import { datomsOf, openRows } from "../support/client.ts";
import { type FixtureRow, readRows } from "../support/fixtures.ts";
import { blockTx } from "../support/forms.ts";
import { after, EMPTY, TestGraph } from "../support/graph.ts";
import { counted } from "../support/counted_kv.ts";
import { beforeFirstList } from "../support/kv.ts";
import { longLeaves } from "../support/long_leaves.ts";
import { ALICE, BOB, headOf, Process, version } from "../support/process.ts";

const SMALL = readRows("small-a");

async function open(kv: Deno.Kv, graph: GraphId, at?: GraphVersion): Promise<RowStream> {
  const opened = await openRowStream(kv, graph, at);
  assert.equal(opened.kind, "open");
  assert.ok(opened.kind === "open");
  return opened.stream;
}

/** All rows, which are as many as was told, each once, rows 0 and 1 first and the rest ascending. */
async function rowsOf(
  { rows, count }: RowStream,
  between: () => Promise<unknown> = () => Promise.resolve(),
): Promise<readonly FixtureRow[]> {
  const all: FixtureRow[] = [];
  for await (const batch of rows) {
    for (const { json } of batch) {
      const { addr, content, addresses } = rowsAnswerSchema.shape.rows.element.parse(
        JSON.parse(new TextDecoder().decode(json)),
      );
      all.push([addr, content, addresses]);
      await between();
    }
  }
  assert.equal(all.length, count);
  const addrs = all.map(([addr]) => addr);
  assert.deepEqual(addrs, [...new Set(addrs)].toSorted((x, y) => x - y));
  return all;
}

function datomsIn(rows: readonly FixtureRow[]): readonly string[] {
  return datomsOf(openRows(
    new Map(rows.map(([addr, content, addresses]) => [addr, { content, addresses }])),
  ));
}

async function pinOf(kv: Deno.Kv, graph: GraphId): Promise<GraphVersion> {
  const { log, t } = await headOf(kv, graph);
  return { log, t };
}

function block(title: string): string {
  return blockTx(crypto.randomUUID(), title);
}

Deno.test("A stream of a graph has its rows as they were imported", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await new Process(kv).graphWith(SMALL);
  assert.deepEqual(await rowsOf(await open(kv, graph)), SMALL);
});

Deno.test("A stream of a graph without rows has none", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await new Process(kv).createGraph();
  assert.deepEqual(await rowsOf(await open(kv, graph)), []);
});

Deno.test("The first batch of a graph that comes while its rows are listed is in the stream as a whole", async () => {
  using store = await Deno.openKv(":memory:");
  const setup = new Process(store);
  const graph = await setup.createGraph();
  const kv = beforeFirstList(store, () => setup.write(graph, 0, block("first")));
  const rows = await rowsOf(await open(kv, graph));
  assert.equal(rows[0]?.[0], 0);
  assert.deepEqual(rows, await rowsOf(await open(store, graph)));
});

Deno.test("A download whose pull told a later version of another graph is refused", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const graph = await server.graphWith(SMALL);
  await server.write(graph, 0, block("1"));
  await server.pin(graph);
  await server.import(graph, SMALL, true);
  const caller = ALICE;
  assert.equal(await versionToStream(server, { graph, caller }), "replaced");
  assert.deepEqual(await versionToStream(server, { graph, caller: BOB }), await pinOf(kv, graph));
  await server.pin(graph);
  assert.deepEqual(await versionToStream(server, { graph, caller }), await pinOf(kv, graph));
});

/** Alice's pull of a graph of the seed's clients, and a batch that came before her first look at its rows. */
async function writtenBeforeLook(
  kv: Deno.Kv,
): Promise<{ readonly server: Process; readonly graph: GraphId; readonly ask: Downloader }> {
  const server = new Process(kv);
  const graph = await server.graphWith(SMALL);
  await server.pin(graph);
  await server.write(graph, 0, block("1"));
  return { server, graph, ask: { graph, caller: ALICE } };
}

Deno.test("A download of a graph of the seed's clients is refused if they write between its pull and the first look", async () => {
  using kv = await Deno.openKv(":memory:");
  const { server, graph, ask } = await writtenBeforeLook(kv);
  assert.equal(await versionToStream(server, ask), "replaced");
  await server.pin(graph);
  await server.write(graph, 1, block("2"));
  const { log } = await headOf(kv, graph);
  assert.deepEqual(await versionToStream(server, ask), { log, t: 1 }, "it can follow from there");
});

for (
  const [who, mark] of [
    [
      "downloads",
      (server: Process, graph: GraphId): Promise<unknown> =>
        versionToStream(server, { graph, caller: BOB }),
    ],
    [
      "writes",
      (server: Process, graph: GraphId): Promise<unknown> =>
        server.sendEntries(graph, 1, { "tx": block("2") }),
    ],
  ] as const
) {
  Deno.test(`A download of a graph of the seed's clients is refused, too, if another device of today ${who} before its first look`, async () => {
    using kv = await Deno.openKv(":memory:");
    const { server, graph, ask } = await writtenBeforeLook(kv);
    await mark(new Process(kv), graph);
    assert.notEqual((await headOf(kv, graph)).checksum, undefined);
    assert.equal(await versionToStream(server, ask), "replaced");
    await server.pin(graph);
    assert.deepEqual(await versionToStream(server, ask), await pinOf(kv, graph));
  });
}

Deno.test("Whatever is written and flushed, every version that was told can be streamed as it was", async () => {
  const steps = fc.array(fc.constantFrom("batch", "batch", "batch", "flush"), {
    minLength: 1,
    maxLength: 14,
  });
  await fc.assert(
    fc.asyncProperty(steps, async (plan) => {
      using kv = await Deno.openKv(":memory:");
      const graph = await TestGraph.create(kv);
      let db = EMPTY;
      let t = 0;
      const told: { readonly pin: GraphVersion; readonly datoms: readonly string[] }[] = [];
      for (const step of plan) {
        if (step === "flush") {
          await graph.flush();
          continue;
        }
        const txs = [block(`block ${t}`)];
        assert.equal(await graph.batch(t, txs), t + 1);
        t++;
        db = after(db, txs);
        told.push({ pin: await pinOf(kv, graph.graph), datoms: datomsOf(db) });
      }
      for (const { pin, datoms } of told) {
        const rows = await rowsOf(await open(kv, graph.graph, pin));
        assert.deepEqual(datomsIn(rows), datoms, `t ${pin.t} of ${t}`);
      }
    }),
    { numRuns: 15 },
  );
});

Deno.test("A stream holds its version though after each of its rows a batch lands and a flush follows", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await TestGraph.create(kv);
  let t = 0;
  const write = async (): Promise<void> => {
    assert.equal(await graph.batch(t, [block(`block ${t}`)]), t + 1);
    t++;
    if (t % 3 === 0) await graph.flush();
  };
  for (let i = 0; i < 20; i++) await write();
  const expected = await rowsOf(await open(kv, graph.graph));
  const stream = await open(kv, graph.graph);
  assert.deepEqual(await rowsOf(stream, write), expected);
  assert.ok(t > 60, "batches landed meanwhile");
});

Deno.test("What flushes made useless is not streamed, nor what later ones wrote", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await TestGraph.create(kv);
  for (let t = 0; t < 12; t++) {
    await graph.batch(t, [block(`block ${t}`)]);
    await graph.flush();
  }
  const pin = await pinOf(kv, graph.graph);
  const before = await rowsOf(await open(kv, graph.graph));
  await graph.batch(12, [block("later")]);
  await graph.flush();
  assert.deepEqual(await rowsOf(await open(kv, graph.graph, pin)), before);
  const last = await rowsOf(await open(kv, graph.graph));
  assert.ok(await sweepFlushes(kv, { now: () => Date.now() + 1000, graceMs: 0 }) > 0);
  assert.deepEqual(await rowsOf(await open(kv, graph.graph)), last);
});

Deno.test("A version whose rows were swept is gone, and so is one of another log, or none yet", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await TestGraph.create(kv);
  const pins: GraphVersion[] = [];
  for (let t = 0; t < 6; t++) {
    await graph.batch(t, [block(`block ${t}`)]);
    pins.push(await pinOf(kv, graph.graph));
    if (t % 2 === 1) await graph.flush();
  }
  await sweepFlushes(kv, { now: () => Date.now() + 1000, graceMs: 0 });
  const kinds = await Array.fromAsync(
    pins,
    async (pin) => (await openRowStream(kv, graph.graph, pin)).kind,
  );
  assert.deepEqual(kinds, ["gone", "gone", "gone", "gone", "gone", "open"]);
  const { log, t } = await pinOf(kv, graph.graph);
  for (const pin of [{ log, t: version(t + 1) }, { log: newGeneration(), t }]) {
    assert.deepEqual(await openRowStream(kv, graph.graph, pin), { kind: "gone" });
  }
  assert.deepEqual(await openRowStream(kv, newGraphId()), { kind: "gone" });
});

Deno.test("Of a sweep that was cut off no version comes out torn", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await TestGraph.create(kv);
  for (let t = 0; t < 8; t++) await graph.batch(t, [block(`block ${t}`)]);
  await graph.flush();
  const pin = await pinOf(kv, graph.graph);
  await graph.batch(8, [block("later")]);
  await graph.flush();
  const stream = await open(kv, graph.graph, pin);
  // Of all that the second flush made useless just one leaf is deleted.
  const { rows } = await headOf(kv, graph.graph);
  const addrs = (await rowsOf(stream)).map(([addr]) => addr);
  const kept = new Set((await rowsOf(await open(kv, graph.graph))).map(([addr]) => addr));
  const useless = addrs.find((addr) => !kept.has(addr));
  assert.ok(useless !== undefined);
  const during = await open(kv, graph.graph, pin);
  await kv.delete(["row", graph.graph, rows, useless, 0]);
  assert.deepEqual(await openRowStream(kv, graph.graph, pin), { kind: "gone" });
  await assert.rejects(rowsOf(during), RowsLostError);
});

Deno.test("A stream is cut off by a reset, an import over its rows, and a removal", async () => {
  using kv = await Deno.openKv(":memory:");
  const graphs = openGraphs({ kv, stores: openBlobStores(kv), now: () => 1000 });
  const ends: ((graph: GraphId) => Promise<unknown>)[] = [
    graphs.reset,
    graphs.remove,
    (graph) => new Process(kv).import(graph, [[1_000_001, "another", null]]),
    (graph) => new Process(kv).import(graph, SMALL, true),
  ];
  for (const end of ends) {
    const graph = await new Process(kv).graphWith(SMALL);
    const stream = await open(kv, graph);
    let left = 10;
    const between = async (): Promise<void> => {
      if (left-- === 0) await end(graph);
    };
    await assert.rejects(rowsOf(stream, between), RowsLostError);
  }
});

Deno.test("A graph of which rows are missing, or none, can't be streamed", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const [branch] = SMALL.filter(([, , addresses]) => addresses !== null);
  assert.ok(branch !== undefined);
  const wrong: readonly (readonly FixtureRow[])[] = [
    SMALL.slice(0, 300),
    SMALL.filter((row) => row !== branch),
    [...SMALL, [branch[0], branch[1], `[${branch[0]}]`]],
    [...SMALL, [branch[0], "no node", branch[2]]],
    [...SMALL, [0, "no root", null]],
    [[0, '["^ "]', null]],
  ];
  for (const rows of wrong) {
    const graph = await server.graphWith(rows);
    assert.deepEqual(await openRowStream(kv, graph), { kind: "not ready" });
  }
});

Deno.test("A stream that nobody reads on reads nothing more", async () => {
  using store = await Deno.openKv(":memory:");
  const graph = await new Process(store).graphWith(readRows("variety-small"));
  const { kv, take } = counted(store);
  const { rows } = await open(kv, graph);
  take();
  for (let i = 0; i < 10; i++) await rows.next();
  assert.ok(take().listed < 480, "the rest has not been asked for");
  await rows.return(undefined);
  assert.equal(take().listed, 0);
});

Deno.test("Others have their turn between rows of megabytes, though one read of the store brings them all", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await new Process(kv).graphWith(longLeaves(24, 1_100_000));
  const { rows } = await open(kv, graph);
  // Rows 0 and 1, and those that are read until the first batch is there.
  await rows.next();
  await rows.next();
  let turns = 0;
  const timer = setInterval(() => turns++);
  const batches = await Array.fromAsync(rows);
  clearInterval(timer);
  assert.ok(batches.length >= 20);
  assert.ok(turns >= 3, `${turns} turns`);
});
