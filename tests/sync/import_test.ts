import assert from "node:assert/strict";
import fc from "fast-check";
import { commitHead } from "../../kv/head.ts";
import { parseGarbageKey } from "../../kv/keys.ts";
import { EMPTY_CHECKSUM, type GraphId, newGraphId } from "../../protocol/ids.ts";
import { importRows } from "../../sync/import.ts";
import { sweepFlushes, sweepGarbage } from "../../sync/sweep.ts";
import { type FixtureRow, readRows } from "../support/fixtures.ts";
import { blockTx } from "../support/forms.ts";
import { TestGraph } from "../support/graph.ts";
import { dump, keysOf, killedAt, losingEach, LOST, withCommit } from "../support/kv.ts";
import { noise } from "../support/noise.ts";
import { headOf, importedOf, logOf, Process, rowsOf } from "../support/process.ts";

const SMALL = readRows("small-a");

function block(title: string): string {
  return blockTx(crypto.randomUUID(), title);
}

/** Rows beyond those of small-a, each of this many characters that don't compress. */
function more(count: number, length: number, from = 900_000_000): readonly FixtureRow[] {
  return Array.from({ length: count }, (_, i) => [from + i, noise(length), null]);
}

/** All that can be told of a graph by asking. */
async function stateOf(kv: Deno.Kv, graph: GraphId): Promise<State> {
  const { t } = await headOf(kv, graph);
  return { t, log: await logOf(kv, graph), rows: await rowsOf(kv, graph) };
}

interface State {
  readonly t: number;
  readonly log: unknown;
  readonly rows: readonly FixtureRow[];
}

/** All keys but those that say who owns the graph and where its rows are. */
async function contentKeys(kv: Deno.Kv): Promise<readonly Deno.KvKey[]> {
  return (await keysOf(kv)).filter(([name]) =>
    name !== "graph" && name !== "owned" && name !== "head"
  );
}

/** Rows that a graph has beside a block in its log. */
const OLD: readonly FixtureRow[] = more(20, 50_000);
/** Other content for those, more than a commit holds; some longer and some shorter. */
const CHANGED: readonly FixtureRow[] = OLD.map(([addr], i) => [addr, noise(i * 7000), null]);
/** More than a commit holds. */
const NEW: readonly FixtureRow[] = more(25, 50_000, 950_000_000);

const IMPORTS = {
  "that resets": { reset: true, rows: NEW },
  "of new rows": { reset: false, rows: NEW },
  "of a few rows that change": { reset: false, rows: CHANGED.slice(0, 3) },
  "of more rows that change than one commit holds": { reset: false, rows: CHANGED },
  "of both": { reset: false, rows: [...CHANGED.slice(0, 3), ...NEW] },
} as const;

/** A graph at version 1 that has OLD beside its database. */
async function oldGraph(kv: Deno.Kv): Promise<GraphId> {
  const setup = new Process(kv);
  const graph = await setup.createGraph();
  await setup.write(graph, 0, block("one"));
  await setup.import(graph, OLD);
  return graph;
}

/** Rows by addr, of which the last ones count. */
function merged(...lists: readonly (readonly FixtureRow[])[]): readonly FixtureRow[] {
  const byAddr = new Map(lists.flat().map((row) => [row[0], row]));
  return [...byAddr.values()].toSorted((x, y) => x[0] - y[0]);
}

for (const [what, { reset, rows }] of Object.entries(IMPORTS)) {
  for (const made of [true, false]) {
    const cut = made ? "after" : "before";
    Deno.test(`An import ${what} that is cut off ${cut} any commit leaves a whole graph, and nothing once swept`, async () => {
      const seenStates = new Set<string>();
      for (let n = 0;; n++) {
        using kv = await Deno.openKv(":memory:");
        const graph = await oldGraph(kv);
        const before = await stateOf(kv, graph);
        const after = {
          t: reset ? 0 : 1,
          log: reset ? { type: "pull/ok", t: 0, txs: [] } : before.log,
          rows: reset ? rows : merged(before.rows, rows),
        };
        const killed = await killedAt(
          kv,
          n,
          made,
          (dying) => importRows({ kv: dying, now: () => 2000 }, graph, reset, importedOf(rows)),
        );
        if (!killed) break;

        const now = await stateOf(kv, graph);
        const state = same(now, before) ? "before" : same(now, after) ? "after" : "between";
        seenStates.add(state);
        if (state === "between") {
          // New rows come before those that change, each as a whole.
          assert.ok(!reset, "a reset is whole");
          const old = new Set(before.rows.map(([addr]) => addr));
          const some = rows.filter(([addr]) =>
            !old.has(addr) && now.rows.some((row) => row[0] === addr)
          );
          assert.ok(same(now, { ...before, rows: merged(before.rows, some) }));
        }
        await sweepGarbage(kv, { now: () => 3000, graceMs: 0 });
        assert.ok(same(await stateOf(kv, graph), now));
        await assertOnlyLive(kv, graph);
        // And it can be done again.
        await new Process(kv).import(graph, rows, reset);
        assert.ok(same(await stateOf(kv, graph), after));
      }
      assert.ok(seenStates.has(made ? "after" : "before"), `${[...seenStates]}`);
    });
  }
}

/** Nothing is stored but what the head refers to. */
async function assertOnlyLive(kv: Deno.Kv, graph: GraphId): Promise<void> {
  const { log, rows } = await headOf(kv, graph);
  for (const key of await contentKeys(kv)) {
    assert.equal(parseGarbageKey(key), undefined);
    assert.ok(key[2] === log || key[2] === rows, JSON.stringify(key));
  }
}

function same(x: unknown, y: unknown): boolean {
  return JSON.stringify(x) === JSON.stringify(y);
}

for (const [what, { reset, rows }] of Object.entries(IMPORTS)) {
  Deno.test(`An import ${what} of which any commit's answer is lost is done as if it were not`, async () => {
    await losingEach(async (store, losing) => {
      const graph = await oldGraph(store);
      const before = await rowsOf(store, graph);
      assert.equal(await new Process(losing).import(graph, rows, reset), rows.length);
      assert.equal((await headOf(store, graph)).t, reset ? 0 : 1);
      assert.ok(same(await rowsOf(store, graph), reset ? rows : merged(before, rows)));
    });
  });
}

Deno.test("A batch on imported rows stays, though the answer to the commit that made them the graph's is lost", async () => {
  for (const [made, lose] of Object.entries(LOST).slice(0, 2)) {
    using store = await Deno.openKv(":memory:");
    const graph = await oldGraph(store);
    const other = new Process(store);
    let written = false;
    const kv = withCommit(store, async (commit) => {
      const { rows } = await headOf(store, graph);
      const result = await commit();
      if (written || (await headOf(store, graph)).rows === rows) return result;
      written = true;
      await other.write(graph, 0, block("meanwhile"));
      return await lose(() => Promise.resolve(result));
    });
    await new Process(kv).import(graph, SMALL, true);
    assert.ok(written);
    const log = await logOf(store, graph);
    assert.equal(log.t, 1, made);
    assert.ok(log.txs[0]?.tx.includes("meanwhile"), made);
  }
});

/** The store, with something that is done before its commit n. */
function beforeCommit(kv: Deno.Kv, n: number, work: () => Promise<unknown>): Deno.Kv {
  return withCommit(kv, async (commit, before) => {
    if (before === n) await work();
    return await commit();
  });
}

for (const [what, { reset, rows }] of Object.entries(IMPORTS)) {
  const fate = reset ? "gone" : "kept";
  Deno.test(`A batch that is accepted before any commit of an import ${what} is ${fate} after it`, async () => {
    for (let n = 0, done = false; !done; n++) {
      using store = await Deno.openKv(":memory:");
      const other = new Process(store);
      const graph = await oldGraph(store);
      done = true;
      const kv = beforeCommit(store, n, async () => {
        // After a reset's own switch the batch would be on another graph.
        const { t } = await headOf(store, graph);
        if (t !== 1) return;
        done = false;
        await other.write(graph, 1, block("meanwhile"));
      });
      await new Process(kv).import(graph, rows, reset);
      if (done) break;
      const log = await logOf(store, graph);
      assert.equal(log.t, reset ? 0 : 2);
      assert.equal(log.txs.some(({ tx }) => tx.includes("meanwhile")), !reset);
      const imported = new Map((await rowsOf(store, graph)).map((row) => [row[0], row]));
      assert.ok(rows.every((row) => same(imported.get(row[0]), row)));
      if (reset) continue;
      assert.equal(await other.send(graph, 2, block("next")).then((a) => a?.type), "tx/batch/ok");
      assert.deepEqual(await other.datoms(graph), await new Process(store).datoms(graph));
    }
  });
}

Deno.test("Of two resets at once one wins whole, and nothing of the other stays", async () => {
  for (let n = 0; n < 6; n++) {
    using store = await Deno.openKv(":memory:");
    const setup = new Process(store);
    const graph = await setup.graphWith(SMALL);
    await setup.write(graph, 0, block("one"));
    const [one, two] = [more(25, 50_000, 0), more(22, 50_000, 10)];
    const kv = beforeCommit(store, n, () => setup.import(graph, two, true));
    await new Process(kv).import(graph, one, true);
    const rows = await rowsOf(store, graph);
    // Once the first has switched, the second is simply later.
    assert.ok(same(rows, one) || same(rows, two), `at commit ${n}`);
    assert.deepEqual(await logOf(store, graph), { type: "pull/ok", t: 0, txs: [] });
    await sweepGarbage(store, { now: () => 3000, graceMs: 0 });
    await assertOnlyLive(store, graph);
  }
});

Deno.test("A reset that was sent to another process meanwhile takes away nothing of what followed there", async () => {
  const [first, second] = [SMALL.slice(0, 300), SMALL.slice(300)];
  // The last of its commits are made when the client has gone on elsewhere.
  for (let n = 0; n < 3; n++) {
    using store = await Deno.openKv(":memory:");
    const other = new Process(store);
    const graph = await other.createGraph();
    const kv = beforeCommit(store, n, async () => {
      await other.import(graph, first, true);
      await other.import(graph, second);
      await other.write(graph, 0, block("one"));
    });
    await importRows({ kv, now: () => 2000 }, graph, true, importedOf(first));
    assert.equal((await headOf(store, graph)).t, 1, `at commit ${n}`);
    assert.ok(same(await rowsOf(store, graph), SMALL));
  }
});

Deno.test("An import whose rows are swept before any of its commits is made anew, and nothing stays of those", async () => {
  const rows: readonly FixtureRow[] = [[0, "root", null], [5, "five", null]];
  // It opens a generation, writes its rows, and makes them the graph's.
  for (let n = 0; n < 3; n++) {
    using store = await Deno.openKv(":memory:");
    const server = new Process(store);
    const graph = await server.createGraph();
    const keys = await keysOf(store);
    const kv = withCommit(store, async (commit, before) => {
      if (before === n) await sweepGarbage(store, { now: () => Number.MAX_SAFE_INTEGER });
      return await commit();
    });
    assert.equal(await importRows({ kv, now: server.now }, graph, true, importedOf(rows)), 2);
    assert.deepEqual(await rowsOf(store, graph), rows, `before commit ${n}`);
    assert.equal((await keysOf(store)).length, keys.length + rows.length);
  }
});

Deno.test("An import whose last commit was made, with its answer lost, is not made again after another's", async () => {
  using store = await Deno.openKv(":memory:");
  const server = new Process(store);
  const graph = await server.createGraph();
  const [ours, others]: readonly FixtureRow[] = [[5, "ours", null], [6, "others'", null]];
  assert.ok(ours !== undefined && others !== undefined);
  const kv = withCommit(store, async (commit, before) => {
    const made = await commit();
    if (before !== 2) return made;
    await server.import(graph, [others], true);
    throw new Error("connection lost");
  });
  assert.equal(await importRows({ kv, now: server.now }, graph, true, importedOf([ours])), 1);
  assert.deepEqual(await rowsOf(store, graph), [others]);
});

Deno.test("An import whose last commit is not made, with its answer lost, and whose rows are swept then is made anew", async () => {
  for (const [what, { reset, rows }] of Object.entries(IMPORTS)) {
    // Only rows that were written under a generation of their own can be swept.
    for (let n = 0, commits = 1; n < commits; n++) {
      using store = await Deno.openKv(":memory:");
      const graph = await oldGraph(store);
      let seen = 0;
      const kv = withCommit(store, async (commit, before) => {
        seen++;
        if (before !== n) return await commit();
        await sweepGarbage(store, { now: () => Number.MAX_SAFE_INTEGER });
        throw new Error("connection lost");
      });
      await importRows({ kv, now: () => 2000 }, graph, reset, importedOf(rows));
      commits = seen;
      const imported = new Map((await rowsOf(store, graph)).map((row) => [row[0], row]));
      assert.ok(rows.every((row) => same(imported.get(row[0]), row)), `${what}, commit ${n}`);
    }
  }
});

Deno.test("Two resets that run side by side leave one of them whole", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const graph = await server.graphWith(SMALL);
  const candidates = [more(25, 50_000, 0), more(22, 50_000, 10), more(5, 9, 20)];
  await Promise.all(candidates.map((rows) => server.import(graph, rows, true)));
  const rows = await rowsOf(kv, graph);
  assert.ok(candidates.some((one) => same(rows, one)));
});

Deno.test("Of rows with the same addr the last one counts, and all are counted", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const graph = await server.createGraph();
  for (const reset of [true, false]) {
    const last: FixtureRow = [5, `last ${reset}`, "[7]"];
    const count = await server.import(
      graph,
      [[5, noise(200_000), null], [6, "x", null], last],
      reset,
    );
    assert.equal(count, 3);
    assert.deepEqual(await rowsOf(kv, graph), [last, [6, "x", null]]);
  }
});

Deno.test("A row that comes without addresses has none", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const graph = await server.createGraph();
  const imported = importedOf([[5, "new"], [6, "null", null]]);
  assert.equal(await importRows(server, graph, false, imported), 2);
  assert.deepEqual(await rowsOf(kv, graph), [[5, "new", null], [6, "null", null]]);
});

Deno.test("A long row that is replaced by a short one leaves nothing of it", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const graph = await server.createGraph();
  await server.import(graph, [[0, "root", null], [5, "short", null], [6, "next", null]]);
  const keys = await keysOf(kv);
  await server.import(graph, [[5, noise(400_000), null]]);
  assert.ok((await keysOf(kv)).length > keys.length);
  await server.import(graph, [[5, "short", null]]);
  assert.deepEqual(await keysOf(kv), keys);
  assert.deepEqual(await rowsOf(kv, graph), [
    [0, "root", null],
    [5, "short", null],
    [6, "next", null],
  ]);
});

Deno.test("Rows that say what is stored already are no change but of the head", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const graph = await server.graphWith(SMALL);
  const rows = async (): Promise<unknown> => (await dump(kv)).filter(({ key }) => key[0] === "row");
  const before = await rows();
  await server.import(graph, SMALL);
  assert.deepEqual(await rows(), before);
});

for (
  const [when, cutAt] of [
    ["was cut off after its claim", 1],
    ["was cut off before its switch", 2],
    ["goes on after it", Infinity],
  ] as const
) {
  Deno.test(`Rows that are imported where a flush writes that ${when} stay, and so does the database`, async () => {
    using kv = await Deno.openKv(":memory:");
    const server = new Process(kv);
    const graph = await server.graphWith(SMALL);
    await server.write(graph, 0, block("one"));
    const first = (SMALL.at(-1)?.[0] ?? 0) + 1;
    const rows: readonly FixtureRow[] = [[first, "mine", null], [first + 1, "mine too", null]];
    const flushing = withCommit(kv, async (commit, before) => {
      if (before >= cutAt) throw new Error("killed");
      if (cutAt === Infinity && before === 1) await server.import(graph, rows);
      return await commit();
    });
    const outcome = await new TestGraph(flushing, graph).flush().catch(() => "killed");
    assert.notEqual(outcome, "done");
    if (cutAt !== Infinity) await server.import(graph, rows);
    await sweepFlushes(kv, { now: () => Number.MAX_SAFE_INTEGER, graceMs: 0 });
    const stored = await rowsOf(kv, graph);
    assert.deepEqual(stored.filter(([addr]) => addr >= first && addr < first + 2), rows);
    await new Process(kv).write(graph, 1, block("two"));
    assert.equal((await new Process(kv).datoms(graph)).length, (await server.datoms(graph)).length);
  });
}

/** SMALL, of which a flush after a block has made rows useless, and its datoms before that. */
async function flushedSmall(
  kv: Deno.Kv,
): Promise<{ server: Process; graph: GraphId; imported: readonly string[] }> {
  const server = new Process(kv);
  const graph = await server.graphWith(SMALL);
  const imported = await server.datoms(graph);
  await server.write(graph, 0, block("one"));
  assert.equal(await new TestGraph(kv, graph).flush(), "done");
  return { server, graph, imported };
}

/** All rows of SMALL are stored, and are these datoms. */
async function assertSmallIsThere(
  kv: Deno.Kv,
  graph: GraphId,
  imported: readonly string[],
): Promise<void> {
  const stored = new Set((await rowsOf(kv, graph)).map(([addr]) => addr));
  assert.deepEqual(SMALL.map(([addr]) => addr).filter((addr) => !stored.has(addr)), []);
  assert.deepEqual(await new Process(kv).datoms(graph), imported);
}

Deno.test("Rows that are imported before what a flush made useless is swept stay, and so does the database", async () => {
  using kv = await Deno.openKv(":memory:");
  const { server, graph, imported } = await flushedSmall(kv);
  await server.import(graph, SMALL);
  await sweepFlushes(kv, { now: () => Number.MAX_SAFE_INTEGER, graceMs: 0 });
  await assertSmallIsThere(kv, graph, imported);
});

/** A sweep that another one overtakes before its commit n; what comes `then` comes before that commit, too. */
async function sweepOvertaken(
  kv: Deno.Kv,
  n: number,
  then: () => Promise<unknown>,
): Promise<void> {
  const options = { now: () => Number.MAX_SAFE_INTEGER, graceMs: 0 };
  const late = withCommit(kv, async (commit, before) => {
    if (before === n) {
      assert.equal(await sweepFlushes(kv, options), 1);
      await then();
    }
    return await commit();
  });
  await sweepFlushes(late, options);
}

Deno.test("Rows that are imported once what a flush made useless is swept stay, whatever another sweep has found", async () => {
  using kv = await Deno.openKv(":memory:");
  const { server, graph, imported } = await flushedSmall(kv);
  await sweepOvertaken(kv, 0, () => server.import(graph, SMALL));
  await assertSmallIsThere(kv, graph, imported);
});

Deno.test("Rows that are imported once a cut-off flush is swept stay, though another sweep has begun before", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const graph = await server.graphWith(SMALL);
  await server.write(graph, 0, block("one"));
  assert.ok(await killedAt(kv, 2, false, (dying) => new TestGraph(dying, graph).flush()));
  const first = (SMALL.at(-1)?.[0] ?? 0) + 1;
  const rows: readonly FixtureRow[] = [[first, "mine", null], [first + 1, "mine too", null]];
  await sweepOvertaken(kv, 1, () => server.import(graph, rows));
  assert.deepEqual((await rowsOf(kv, graph)).filter(([addr]) => addr >= first), rows);
});

Deno.test("A graph whose first batch comes while rows of another root than its own are copied keeps that batch", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const graph = await server.createGraph();
  await server.import(graph, OLD);
  const late = withCommit(kv, async (commit, before) => {
    // The switch: a marker and two commits of rows came before it.
    if (before === 3) await new Process(kv).write(graph, 0, block("first"));
    return await commit();
  });
  await new Process(late).import(graph, CHANGED);
  await new Process(kv).write(graph, 1, block("second"));
  const datoms = (await new Process(kv).datoms(graph)).join();
  assert.ok(datoms.includes("first") && datoms.includes("second"));
  const stored = new Map((await rowsOf(kv, graph)).map((row) => [row[0], row]));
  assert.deepEqual(CHANGED.map(([addr]) => stored.get(addr)), CHANGED);
});

Deno.test("Rows that come while the first batch of an empty graph does keep it, at whatever addresses they are", async () => {
  for (let n = 0;; n++) {
    using kv = await Deno.openKv(":memory:");
    const graph = await new Process(kv).createGraph();
    let written = false;
    const late = withCommit(kv, async (commit, before) => {
      if (before === n) {
        await new Process(kv).write(graph, 0, block("first"));
        written = true;
      }
      return await commit();
    });
    await new Process(late).import(graph, NEW);
    if (!written) break;
    await new Process(kv).write(graph, 1, block("second"));
    const datoms = (await new Process(kv).datoms(graph)).join();
    assert.ok(datoms.includes("first") && datoms.includes("second"), `at commit ${n}`);
    const stored = new Map((await rowsOf(kv, graph)).map((row) => [row[0], row]));
    assert.deepEqual(NEW.map(([addr]) => stored.get(addr)), NEW, `at commit ${n}`);
  }
});

for (const made of [true, false]) {
  const cut = made ? "after" : "before";
  Deno.test(`The tail row of an import that is cut off ${cut} any commit is not the graph's before the others`, async () => {
    for (let n = 0;; n++) {
      using kv = await Deno.openKv(":memory:");
      const graph = await new Process(kv).graphWith(SMALL.filter(([addr]) => addr !== 1));
      const killed = await killedAt(kv, n, made, async (dying) => {
        await new Process(dying).import(graph, [[1, "[]", null], ...NEW]);
      });
      if (!killed) break;
      const { rowsVersion } = await headOf(kv, graph);
      const has = (await rowsOf(kv, graph)).some(([addr]) => addr === 1);
      assert.equal(has, rowsVersion > 0, `killed at commit ${n}`);
    }
  });
}

Deno.test("A root that is imported once more is the root again, though a row says so already", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const graph = await server.graphWith(SMALL);
  const imported = await server.datoms(graph);
  for (const t of [0, 1]) {
    await server.write(graph, t, block("mine"));
    assert.equal(await new TestGraph(kv, graph).flush(), "done");
    await sweepFlushes(kv, { now: () => Number.MAX_SAFE_INTEGER, graceMs: 0 });
    await server.import(graph, SMALL);
    assert.deepEqual(await new Process(kv).datoms(graph), imported);
  }
});

for (
  const [what, withRoot] of [
    ["is the same database", false],
    ["has the root that comes with them", true],
  ] as const
) {
  Deno.test(`A flushed graph whose rows are copied ${what}`, async () => {
    using kv = await Deno.openKv(":memory:");
    const server = new Process(kv);
    const graph = await oldGraph(kv);
    assert.equal(await new TestGraph(kv, graph).flush(), "done");
    await server.write(graph, 1, block("two"));
    const before = await server.datoms(graph);
    const head = await headOf(kv, graph);
    const summed = { ...head, checksum: EMPTY_CHECKSUM };
    await commitHead(kv, head, summed, { sets: [], deletes: [] });
    const root = (await rowsOf(kv, graph)).filter(([addr]) => withRoot && addr === 0);
    await server.import(graph, [...root, ...CHANGED]);
    const after = await headOf(kv, graph);
    assert.notEqual(after.rows, head.rows);
    assert.equal(after.checksum, "unknown");
    // The row 0 that the graph began with knows of none.
    assert.deepEqual(await new Process(kv).datoms(graph), withRoot ? [] : before);
    await new Process(kv).write(graph, 2, block("three"));
    assert.equal(await new TestGraph(kv, graph).flush(), "done");
    await new Process(kv).write(graph, 3, block("four"));
    const stored = await rowsOf(kv, graph);
    assert.deepEqual(stored.filter(([addr]) => CHANGED.some(([one]) => one === addr)), CHANGED);
  });
}

Deno.test("The rows of a call are those sent, of few characters and of many", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const graph = await server.createGraph();
  const text = `"ä\u{1f600}\n${"x".repeat(1_000_000)}`;
  const rows = Array.from({ length: 6 }, (_, i): FixtureRow => [i, `${i}${text}`, `[${i}]`]);
  const again: FixtureRow = [0, text, null];
  assert.equal(await server.import(graph, [...rows, again]), 7);
  assert.deepEqual(await rowsOf(kv, graph), [again, ...rows.slice(1)]);
});

Deno.test("An import into no graph leaves nothing", async () => {
  using kv = await Deno.openKv(":memory:");
  for (const reset of [true, false]) {
    const deps = { kv, now: () => 1000 };
    assert.equal(
      await importRows(deps, newGraphId(), reset, importedOf(more(40, 60_000))),
      undefined,
    );
  }
  assert.deepEqual(await keysOf(kv), []);
});

Deno.test("Whatever is imported, the rows are those of a map by addr", async () => {
  const row: fc.Arbitrary<FixtureRow> = fc.tuple(
    fc.nat(6),
    fc.oneof(fc.string(), fc.integer({ min: 0, max: 150_000 }).map(noise)),
    fc.option(fc.string()),
  );
  const call = fc.record({ reset: fc.boolean(), rows: fc.array(row, { maxLength: 8 }) });
  await fc.assert(
    fc.asyncProperty(fc.array(call, { maxLength: 5 }), async (calls) => {
      using kv = await Deno.openKv(":memory:");
      const server = new Process(kv);
      const graph = await server.createGraph();
      const model = new Map<number, FixtureRow>();
      for (const { reset, rows } of calls) {
        if (reset) model.clear();
        for (const one of rows) model.set(one[0], one);
        assert.equal(await server.import(graph, rows, reset), rows.length);
        const expected = [...model.values()].toSorted((x, y) => x[0] - y[0]);
        assert.deepEqual(await rowsOf(kv, graph), expected);
      }
      await assertOnlyLive(kv, graph);
    }),
    { numRuns: 20 },
  );
});
