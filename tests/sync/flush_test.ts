import assert from "node:assert/strict";
import fc from "fast-check";
import { openBlobStores } from "../../assets/open.ts";
import type { Db } from "../../datascript/db.ts";
import { compareDatoms, INDEXES } from "../../datascript/order.ts";
import type { NodeSource } from "../../datascript/source.ts";
import { readHead } from "../../kv/head.ts";
import { newGraphId } from "../../protocol/ids.ts";
import { type FlushDeps, Flusher } from "../../sync/flush.ts";
import { openGraphs } from "../../sync/graphs.ts";
import { NodeCache } from "../../sync/node_cache.ts";
import { sweepFlushes } from "../../sync/sweep.ts";
import { Turns } from "../../sync/turns.ts";
import { loggerFor } from "../../telemetry/log.ts";
import { counted, NOTHING } from "../support/counted_kv.ts";
import { readRows } from "../support/fixtures.ts";
import { blockTx, txOf } from "../support/forms.ts";
import { after, EMPTY, TestGraph } from "../support/graph.ts";
import { headOf, Process } from "../support/process.ts";
import { keysOf, LOST, withCommit, withList, withMethods } from "../support/kv.ts";
import { checkTree } from "../support/tree.ts";

const KEYS = 4;
const UUIDS = Array.from({ length: 40 }, (_, i) => uuid(i));

function uuid(i: number): string {
  return `00000000-0000-4000-8000-${String(i).padStart(12, "0")}`;
}

/** A form over some forty blocks: written, moved, retitled, retagged, removed. */
const form = fc.tuple(
  fc.integer({ min: 0, max: 39 }),
  fc.integer({ min: 0, max: 39 }),
  fc.integer({ min: 0, max: 9 }),
).map(([one, other, kind]): unknown => {
  const e = ["~:block/uuid", `~u${UUIDS[one]}`];
  switch (kind) {
    case 0:
      return ["~:db/retractEntity", e];
    case 1:
      return ["~:db/retract", e, "~:block/title"];
    case 2:
      return ["^ ", "~:block/uuid", e[1], "~:block/tags", [
        "^ ",
        "~:block/uuid",
        `~u${UUIDS[other]}`,
      ]];
    default:
      return ["^ ", "~:block/uuid", e[1], "~:block/title", `${kind} of ${other}`];
  }
});
const batch = fc.array(form, { minLength: 1, maxLength: 12 });

/** Facts with their transactions, in an index's order. */
function facts(db: Db, index: (typeof INDEXES)[number]): readonly string[] {
  return db.everything(index).map(({ e, a, v, tx }) => JSON.stringify([e, a, v, tx]));
}

function assertSame(db: Db, model: Db): void {
  for (const index of INDEXES) assert.deepEqual(facts(db, index), facts(model, index));
}

function assertSound(db: Db, source: NodeSource): void {
  for (const index of INDEXES) {
    assert.deepEqual(
      checkTree({ source, compare: compareDatoms[index], maxKeys: KEYS }, db.root.trees[index]),
      [],
      index,
    );
  }
}

Deno.test("After any batches and flushes the rows alone are the database, and its trees are sound", async () => {
  using kv = await Deno.openKv(":memory:");
  const step = fc.oneof({ weight: 4, arbitrary: batch }, {
    weight: 1,
    arbitrary: fc.constant("flush"),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 20 }), async (steps) => {
      const graph = await TestGraph.create(kv);
      let model = EMPTY;
      let t = 0;
      for (const one of steps) {
        if (typeof one === "string") await graph.flush();
        else {
          const txs = [txOf(...one)];
          const answer = await graph.batch(t, txs);
          if (typeof answer === "number") {
            t = answer;
            model = after(model, txs);
          }
        }
        const { db, source } = await graph.download(2000);
        assertSame(db, model);
        assertSound(db, source);
        // A process that starts now sees the same.
        assertSame((await new TestGraph(kv, graph.graph).download(2000)).db, model);
      }
    }),
    { numRuns: 200 },
  );
});

Deno.test("A download with batches and flushes between its pages opens as the database of its last pull", async () => {
  using kv = await Deno.openKv(":memory:");
  const between = fc.array(
    fc.oneof({ weight: 2, arbitrary: batch }, { weight: 2, arbitrary: fc.constant("flush") }, {
      weight: 1,
      arbitrary: fc.constant("other process flushes"),
    }),
    { maxLength: 3 },
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(batch, { minLength: 1, maxLength: 5 }),
      fc.array(between, { minLength: 1, maxLength: 12 }),
      fc.integer({ min: 3, max: 30 }),
      async (first, pages, limit) => {
        const graph = await TestGraph.create(kv);
        const other = new TestGraph(kv, graph.graph);
        const models = [EMPTY];
        const write = async (forms: readonly unknown[]): Promise<void> => {
          const txs = [txOf(...forms)];
          const before = models.at(-1) ?? EMPTY;
          const answer = await graph.batch(models.length - 1, txs);
          if (typeof answer === "number") models.push(after(before, txs));
        };
        for (const forms of first) await write(forms);
        let page = 0;
        const { t, db } = await graph.download(limit, async () => {
          for (const one of pages[page++ % pages.length] ?? []) {
            // As long as a client keeps being a page behind, it never ends.
            if (page > 60) return;
            if (one === "flush") await graph.flush();
            else if (typeof one === "string") await other.flush();
            else await write(one);
          }
        });
        assertSame(db, models[t] ?? EMPTY);
      },
    ),
    { numRuns: 60 },
  );
});

Deno.test("A flush between a download's nodes and its root isn't in it", async () => {
  using kv = await Deno.openKv(":memory:");
  const other = await TestGraph.create(kv);
  await other.batch(0, UUIDS.slice(0, 30).map((id) => blockTx(id, "first")));
  await other.flush();
  await other.batch(1, UUIDS.slice(20).map((id) => blockTx(id, "second")));
  let [pages, lastPage] = [0, Infinity];
  const flushing = withList(
    kv,
    async function* (list, selector): AsyncGenerator<Deno.KvEntry<unknown>> {
      // The last page's nodes are listed before its root is looked for.
      if (pages === lastPage && "end" in selector && selector.end[0] === "root") {
        lastPage = Infinity;
        assert.equal(await other.flush(), "done");
      }
      yield* list();
    },
  );
  const graph = new TestGraph(flushing, other.graph);
  const download = async (): Promise<Db> => {
    pages = 0;
    return (await graph.download(40, () => Promise.resolve(void pages++))).db;
  };
  const db = await download();
  lastPage = pages;
  assertSame(await download(), db);
  assert.equal(lastPage, Infinity);
  assertSame(await download(), db);
});

Deno.test("A flush that is cut off after any of its commits leaves the database as it was, and a sweep leaves nothing of it", async () => {
  using kv = await Deno.openKv(":memory:");
  for (const made of [false, true]) {
    for (let cut = 0;; cut++) {
      let clock = 0;
      const now = (): number => clock;
      const graph = await TestGraph.create(kv, now);
      let model = EMPTY;
      for (let t = 0; t < 6; t++) {
        const txs = [txOf(...manyBlocks(t))];
        assert.equal(await graph.batch(t, txs), t + 1);
        model = after(model, txs);
        if (t === 2) assert.equal(await graph.flush(), "done");
      }
      let commits = 0;
      const broken = withCommit(kv, async (commit, before) => {
        commits = before + 1;
        if (before < cut) return await commit();
        if (made && before === cut) await commit();
        throw new Error("The connection to the store broke");
      });
      const outcome = await new TestGraph(broken, graph.graph, now).flush().catch(() => "thrown");
      const fresh = new TestGraph(kv, graph.graph, now);
      assertSame((await fresh.download(7)).db, model);

      clock = 10;
      await sweepFlushes(kv, { now, graceMs: 5 });
      const { db, source } = await fresh.download(2000);
      assertSame(db, model);
      assertSound(db, source);
      // What the rows hold is what the root needs: rows 0 and 1 may be those that a flush made useless.
      const stored = await addresses(kv, graph);
      const needed = reachable(db, source);
      assert.deepEqual(stored.filter((address) => address > 1 && !needed.has(address)), []);
      assert.deepEqual(await Array.fromAsync(kv.list({ prefix: ["claim", graph.graph] })), []);

      assert.equal(await fresh.batch(6, [txOf(...manyBlocks(9))]), 7);
      assert.equal(await fresh.flush(), "done");
      if (outcome === "done" && commits <= cut) break;
    }
  }
});

Deno.test("A flush of which any commit's answer is lost is done or given up, and the database is as it was", async () => {
  using kv = await Deno.openKv(":memory:");
  for (const [made, lose] of Object.entries(LOST)) {
    // It claims addresses, writes rows, and switches the head.
    for (const [lostAt, expected] of ["lost", "lost", "done"].entries()) {
      const graph = await TestGraph.create(kv);
      const txs = [txOf(...manyBlocks(1))];
      assert.equal(await graph.batch(0, txs), 1);
      const breaking = withCommit(
        kv,
        (commit, before) => before === lostAt ? lose(commit) : commit(),
      );
      const outcome = await new TestGraph(breaking, graph.graph).flush();
      assert.equal(outcome, expected, `commit ${lostAt} ${made}`);
      const { db, source } = await new TestGraph(kv, graph.graph).download(2000);
      assertSame(db, after(EMPTY, txs));
      assertSound(db, source);
      assert.ok(await graph.flush() !== "lost");
      assertSame((await graph.download(2000)).db, after(EMPTY, txs));
    }
  }
});

for (const [what, end] of [["removed", "remove"], ["reset", "reset"]] as const) {
  Deno.test(`A flush of a graph that is ${what} before it writes leaves nothing`, async () => {
    using kv = await Deno.openKv(":memory:");
    const graphs = openGraphs({ kv, stores: openBlobStores(kv), now: () => 1000 });
    const graph = await TestGraph.create(kv);
    await graph.batch(0, [txOf(...manyBlocks(0))]);
    const late = withCommit(kv, async (commit, before) => {
      if (before === 0) await graphs[end](graph.graph);
      return await commit();
    });
    assert.equal(await new TestGraph(late, graph.graph).flush(), "lost");
    const left = (await keysOf(kv)).filter(([name]) =>
      !["graph", "owned", "head"].includes(String(name))
    );
    assert.deepEqual(left, []);
  });
}

Deno.test("A flush goes on though a batch comes between its look at the head and its claim", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await TestGraph.create(kv);
  const txs = [txOf(...manyBlocks(0)), txOf(...manyBlocks(1))];
  await graph.batch(0, txs.slice(0, 1));
  const late = withCommit(kv, async (commit, before) => {
    if (before === 0) await graph.batch(1, txs.slice(1));
    return await commit();
  });
  const flushing = new TestGraph(late, graph.graph);
  assert.equal(await flushing.flush(), "done");
  assert.equal((await readHead(kv, graph.graph))?.flushed, 1);
  const model = txs.reduce((db, tx) => after(db, [tx]), EMPTY);
  assertSame((await graph.download(2000)).db, model);
  // The process that has flushed knows that there was a batch.
  const next = [txOf(...manyBlocks(2))];
  assert.equal(await flushing.batch(2, next), 3);
  assertSame((await graph.download(2000)).db, after(model, next));
});

Deno.test("A flush is lost if another one is done between its look at the head and its claim", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await TestGraph.create(kv);
  const txs = [txOf(...manyBlocks(0)), txOf(...manyBlocks(1))];
  await graph.batch(0, txs.slice(0, 1));
  const late = withCommit(kv, async (commit, before) => {
    if (before === 0) {
      await graph.batch(1, txs.slice(1));
      assert.equal(await graph.flush(), "done");
    }
    return await commit();
  });
  assert.equal(await new TestGraph(late, graph.graph).flush(), "lost");
  assert.equal((await readHead(kv, graph.graph))?.flushed, 2);
  // It would have gone on with nodes that the other one let go of.
  await sweepFlushes(kv, { now: () => Date.now() + 1000, graceMs: 0 });
  const { db, source } = await new TestGraph(kv, graph.graph).download(2000);
  assertSame(db, txs.reduce((db, tx) => after(db, [tx]), EMPTY));
  assertSound(db, source);
});

Deno.test("A flush of no graph, and of a graph without a tail, does nothing", async () => {
  using store = await Deno.openKv(":memory:");
  const { kv, take } = counted(store);
  assert.equal(await new TestGraph(kv, newGraphId()).flush(), undefined);
  const graph = await TestGraph.create(kv);
  assert.equal(await graph.flush(), undefined);
  await graph.batch(0, [txOf(...manyBlocks(0))]);
  assert.equal(await graph.flush(), "done");
  take();
  assert.equal(await graph.flush(), undefined);
  assert.equal(take().commits, 0);
});

Deno.test("A root's max-addr is the greatest address of its nodes, as a client writes its own above it", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await TestGraph.create(kv);
  for (let t = 0; t < 3; t++) {
    await graph.batch(t, [txOf(...manyBlocks(t))]);
    assert.equal(await graph.flush(), "done");
    const { db, source } = await graph.download(2000);
    assert.equal(db.root.maxAddr, Math.max(...reachable(db, source)));
  }
});

const meanwhile: Readonly<Record<string, (kv: Deno.Kv, graph: TestGraph) => Promise<unknown>>> = {
  "rows are imported": (kv, { graph }) => new Process(kv).import(graph, [[900_000_000, "x", null]]),
  "its rows are swept": (kv) => sweepFlushes(kv, { now: () => 2000, graceMs: 5 }),
};
for (const [what, happens] of Object.entries(meanwhile)) {
  Deno.test(`A flush is lost if ${what} before it writes or switches, and the next one is done`, async () => {
    using kv = await Deno.openKv(":memory:");
    const now = (): number => 1000;
    // It claims addresses, writes rows, and switches the head.
    for (const n of [1, 2]) {
      const graph = await TestGraph.create(kv, now);
      const txs = [txOf(...manyBlocks(1))];
      await graph.batch(0, txs);
      const racing = withCommit(kv, async (commit, before) => {
        if (before === n) await happens(kv, graph);
        return await commit();
      });
      assert.equal(await new TestGraph(racing, graph.graph, now).flush(), "lost");
      const fresh = new TestGraph(kv, graph.graph, now);
      assertSame((await fresh.download(2000)).db, after(EMPTY, txs));
      assert.equal(await fresh.flush(), "done");
      assertSame((await fresh.download(2000)).db, after(EMPTY, txs));
    }
  });
}

Deno.test("A flush is lost if a reset takes the rows away that it reads, and is no fault", async () => {
  using store = await Deno.openKv(":memory:");
  const setup = new Process(store);
  const graph = await setup.graphWith(readRows("small-a"));
  await setup.write(graph, 0, blockTx(uuid(1), "one"));
  const graphs = openGraphs({ kv: store, stores: openBlobStores(store), now: () => 0 });
  let reset = false;
  const kv = withMethods(store, {
    getMany: async (keys: readonly Deno.KvKey[]): Promise<unknown> => {
      if (!reset) reset = await graphs.reset(graph) ?? false;
      return await store.getMany<unknown[]>(keys);
    },
  });
  assert.equal(await new TestGraph(kv, graph).flush(), "lost");
  assert.ok(reset);
});

Deno.test("A tail of few facts that is long is flushed, too", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const graph = await server.createGraph();
  const flushed = async (): Promise<number> => {
    await server.idle();
    return (await headOf(kv, graph)).flushed;
  };
  const long = "x".repeat(2_000_000);
  for (let t = 0; t < 4; t++) await server.write(graph, t, blockTx(uuid(t + 1), long));
  assert.equal(await flushed(), 0);
  await server.write(graph, 4, blockTx(uuid(5), long));
  assert.equal(await flushed(), 5);
  // What came since is counted anew.
  await server.write(graph, 5, blockTx(uuid(6), "short"));
  assert.equal(await flushed(), 5);
});

type Options = ConstructorParameters<typeof Process>[1];

/** A process, what flushes in the background, and what it has told of each flush. */
function flusherOf(kv: Deno.Kv, from: number, options: Options = {}): {
  readonly server: Process;
  readonly flusher: Flusher;
  readonly told: readonly string[];
} {
  const server = new Process(kv, options);
  const { databases, now } = server;
  const told: string[] = [];
  const flushed: FlushDeps["flushed"] = (outcome, ms) => void told.push(`${outcome} in ${ms} ms`);
  const deps = { kv, databases, now, flushed, turns: new Turns(), log: loggerFor("test") };
  return { server, flusher: new Flusher(deps, from, () => 0), told };
}

Deno.test("A graph is flushed once its overlay has so many datoms, one flush at a time", async () => {
  using kv = await Deno.openKv(":memory:");
  const { server, flusher, told } = flusherOf(kv, 10);
  const graph = await server.createGraph();
  // There is nothing to flush yet, which is told to nobody.
  flusher.changed(graph, 10, 1);
  await flusher.idle();
  await server.write(graph, 0, blockTx(uuid(1), "x"));
  flusher.changed(graph, 9, 1);
  await flusher.idle();
  assert.deepEqual(told, []);
  const before = await server.datoms(graph);
  flusher.changed(graph, 10, 1);
  flusher.changed(graph, 11, 1);
  await flusher.idle();
  assert.deepEqual(told, ["done in 0 ms"]);
  assert.equal((await headOf(kv, graph)).flushed, 1);
  for (const process of [server, new Process(kv)]) {
    assert.deepEqual(await process.datoms(graph), before);
  }
});

Deno.test("A flush takes no less than no time, though the machine's clock is set back meanwhile", async () => {
  using kv = await Deno.openKv(":memory:");
  let now = 1_000_000;
  const { server, flusher, told } = flusherOf(kv, 10, { now: () => now -= 1000 });
  const graph = await server.createGraph();
  await server.write(graph, 0, blockTx(uuid(1), "x"));
  flusher.changed(graph, 10, 1);
  await flusher.idle();
  assert.deepEqual(told, ["done in 0 ms"]);
});

Deno.test("Nodes that a flush made take their room in the cache", async () => {
  using store = await Deno.openKv(":memory:");
  const { kv, take } = counted(store);
  const { server, flusher } = flusherOf(kv, 10, { nodes: new NodeCache(1_000_000) });
  const graph = await server.createGraph();
  const long = "x".repeat(50_000);
  await server.writeBatch(graph, 0, UUIDS.map((id) => blockTx(id, long)));
  await server.write(graph, 1, blockTx(uuid(1), "short"));
  flusher.changed(graph, 10, 1);
  await flusher.idle();
  take();
  await server.write(graph, 2, blockTx(uuid(1), "shorter"));
  const { getManys, lists } = take();
  assert.ok(getManys + lists > 0, "they are more than it keeps");
});

Deno.test("A flush that fails is told as such, and the next one is done", async () => {
  using kv = await Deno.openKv(":memory:");
  let lists = 0;
  const failing = withList(kv, (list) => {
    if (lists++ === 0) throw new Error("The store is away");
    return list();
  });
  const graph = await new Process(kv).createGraph();
  await new Process(kv).write(graph, 0, blockTx(uuid(1), "x"));
  const { flusher, told } = flusherOf(failing, 10);
  for (const expected of [["failed in 0 ms"], ["failed in 0 ms", "done in 0 ms"]]) {
    flusher.changed(graph, 10, 1);
    await flusher.idle();
    assert.deepEqual(told, expected);
  }
});

Deno.test("After a flush nothing is read: the database is kept on its new trees", async () => {
  using store = await Deno.openKv(":memory:");
  const { kv, take } = counted(store);
  const graph = await TestGraph.create(kv);
  await graph.batch(0, [txOf(...manyBlocks(0))]);
  await graph.batch(1, [txOf(...manyBlocks(1))]);
  assert.equal(await graph.flush(), "done");
  take();
  assert.equal(await graph.batch(2, [txOf(...manyBlocks(2))]), 3);
  assert.deepEqual(take(), { ...NOTHING, commits: 1 });
});

Deno.test("What a flush made useless is readable for the grace time, and then gone", async () => {
  using kv = await Deno.openKv(":memory:");
  let clock = 0;
  const graph = await TestGraph.create(kv, () => clock);
  let model = EMPTY;
  for (let t = 0; t < 30; t++) {
    const txs = [txOf(...manyBlocks(t % 4))];
    await graph.batch(t, txs);
    model = after(model, txs);
    await graph.flush();
    clock += 100;
    await sweepFlushes(kv, { now: () => clock, graceMs: 250 });
  }
  const { db, source } = await graph.download(2000);
  const needed = reachable(db, source);
  const garbage = (await addresses(kv, graph)).filter((address) => !needed.has(address));
  assert.ok(garbage.length > 0);
  const head = await readHead(kv, graph.graph);
  assert.ok(head !== undefined);
  clock += 1000;
  await sweepFlushes(kv, { now: () => clock, graceMs: 250 });
  assert.deepEqual((await addresses(kv, graph)).filter((address) => !needed.has(address)), []);
  assertSame((await graph.download(2000)).db, model);
  const tails = await Array.fromAsync(kv.list({ prefix: ["tail", graph.graph] }));
  assert.equal(tails.length, 0);
  const roots = await Array.fromAsync(kv.list({ prefix: ["root", graph.graph] }));
  assert.equal(roots.length, 1);
  assert.equal((await Array.fromAsync(kv.list({ prefix: ["log", graph.graph] }))).length, 30);
});

Deno.test("What flushes made useless before a reset is no reason to take anything of what came after it", async () => {
  using kv = await Deno.openKv(":memory:");
  const now = (): number => 1000;
  const graph = await TestGraph.create(kv, now);
  await graph.batch(0, [txOf(...manyBlocks(0))]);
  assert.equal(await graph.flush(), "done");
  // What it lets go of isn't swept.
  const failing = withCommit(
    kv,
    (commit, before) => before === 0 ? commit() : Promise.reject(new Error("The store is away")),
  );
  await openGraphs({ kv: failing, stores: openBlobStores(kv), now }).reset(graph.graph);
  const txs = [txOf(...manyBlocks(1))];
  assert.equal(await graph.batch(0, txs), 1);
  assert.equal(await sweepFlushes(kv, { now: () => 2000, graceMs: 5 }), 0);
  const { db } = await new TestGraph(kv, graph.graph, now).download(2000);
  assertSame(db, after(EMPTY, txs));
});

Deno.test("Two processes that flush at once do not harm each other, nor the batches between", async () => {
  using kv = await Deno.openKv(":memory:");
  const one = await TestGraph.create(kv);
  const two = new TestGraph(kv, one.graph);
  let model = EMPTY;
  for (let t = 0; t < 40; t++) {
    const txs = [txOf(...manyBlocks(t % 7))];
    const flushes = [one.flush(), two.flush(), one.flush()];
    assert.equal(await (t % 2 === 0 ? one : two).batch(t, txs), t + 1);
    model = after(model, txs);
    await Promise.all(flushes);
    if (t % 10 === 9) assertSame((await one.download(13)).db, model);
  }
  const { db, source } = await two.download(2000);
  assertSame(db, model);
  assertSound(db, source);
});

function manyBlocks(seed: number): readonly unknown[] {
  return UUIDS.map((id, i) => [
    "^ ",
    "~:block/uuid",
    `~u${id}`,
    "~:block/title",
    `${seed} ${i}`,
    ...i % (seed + 1) === 0 ? ["~:block/order", `a${seed}`] : [],
  ]);
}

async function addresses(kv: Deno.Kv, { graph }: TestGraph): Promise<readonly number[]> {
  const keys = await Array.fromAsync(kv.list({ prefix: ["row", graph] }), ({ key }) => key);
  return keys.flatMap((key) => typeof key[3] === "number" ? [key[3]] : []);
}

function reachable(
  db: Db,
  source: NodeSource,
): ReadonlySet<number> {
  const found = new Set<number>();
  const open = INDEXES.map((index) => db.root.trees[index].root);
  for (let ref = open.pop(); ref !== undefined; ref = open.pop()) {
    if (typeof ref === "number") found.add(ref);
    const node = typeof ref === "number" ? source.get(ref) : ref;
    open.push(...node?.children ?? []);
  }
  return found;
}
