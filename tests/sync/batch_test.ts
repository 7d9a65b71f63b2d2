import assert from "node:assert/strict";
import { openBlobStores } from "../../assets/open.ts";
import fc from "fast-check";
import type { FixtureRow } from "../support/fixtures.ts";
import { readCases, readRows } from "../support/fixtures.ts";
import { counted, NOTHING } from "../support/counted_kv.ts";
import { blockTx, txOf } from "../support/forms.ts";
import { dump, LOST, withCommit } from "../support/kv.ts";
import { loggedBy, textOf } from "../support/log.ts";
import { noise } from "../support/noise.ts";
import { headOf, logOf, Process, rowsOf } from "../support/process.ts";
import { newGraphId } from "../../protocol/ids.ts";
import { parseRowKey } from "../../kv/keys.ts";
import { RowMissingError } from "../../sync/database.ts";
import { UnsettledError } from "../../sync/store.ts";
import { openGraphs } from "../../sync/graphs.ts";

const SMALL = readRows("small-a");
const UUID = "6f1e2d3c-0000-4000-8000-000000000001";

function block(title: string): string {
  return blockTx(crypto.randomUUID(), title);
}

/** A row that no tree refers to. */
const SPARE: FixtureRow = [900_000_000, "spare", null];

/** A batch that the reason's check refuses, on version 0 of small-a, where no other check does. */
const REFUSED = {
  "stale": { t: 7, txs: [block("x")] },
  "invalid tx, as it is not JSON": { t: 0, txs: ["["] },
  "invalid tx, as it is no list": { t: 0, txs: ['["^ "]'] },
  "invalid tx, as a form is unknown": { t: 0, txs: [txOf(["~:db/frob", 1])] },
  "empty tx data": { t: 0, txs: ["[]"] },
  "invalid tx, as nobody is found": {
    t: 0,
    txs: [block("first"), txOf(["~:db/add", ["~:block/uuid", `~u${UUID}`], "~:block/title", "x"])],
  },
  "cycle": {
    t: 0,
    txs: [
      blockTx(UUID, "own parent"),
      txOf(["~:db/add", ["~:block/uuid", `~u${UUID}`], "~:block/parent", [
        "~:block/uuid",
        `~u${UUID}`,
      ]]),
    ],
  },
} as const;

Deno.test("A stale batch costs one read and no commit", async () => {
  using store = await Deno.openKv(":memory:");
  const { kv, take } = counted(store);
  const server = new Process(kv);
  const graph = await server.graphWith(SMALL);
  await server.write(graph, 0, block("one"));
  take();
  const answer = await server.send(graph, 0, block("two"));
  assert.deepEqual(answer, { type: "tx/reject", reason: "stale", t: 1 });
  assert.deepEqual(take(), { ...NOTHING, gets: 1 });
});

Deno.test("A batch on the version that this process saw last costs one commit, if its nodes are in memory", async () => {
  using store = await Deno.openKv(":memory:");
  const { kv, take } = counted(store);
  const server = new Process(kv);
  const graph = await server.graphWith(SMALL);
  await server.write(graph, 0, blockTx(UUID, "one"));
  take();
  await server.write(graph, 1, blockTx(UUID, "two"));
  assert.deepEqual(take(), { ...NOTHING, commits: 1 });
});

Deno.test("Of batches on one version that wait for each other, one is stored and the others are stale without a read", async () => {
  using store = await Deno.openKv(":memory:");
  const { kv, take } = counted(store);
  const server = new Process(kv);
  const graph = await server.graphWith(SMALL);
  const first = block("one");
  await server.write(graph, 0, first);
  take();
  const answers = await Promise.all(
    ["two", "three", "four"].map((title) => server.send(graph, 1, block(title))),
  );
  const stale = { type: "tx/reject", reason: "stale", t: 2 };
  assert.deepEqual(answers, [{ type: "tx/batch/ok", t: 2 }, stale, stale]);
  const { gets, commits } = take();
  assert.deepEqual({ gets, commits }, { gets: 0, commits: 1 });
});

Deno.test("A batch that came in after the last commit is judged by a read, as others may have reset the graph", async () => {
  using kv = await Deno.openKv(":memory:");
  const [one, other] = [new Process(kv), new Process(kv)];
  const graph = await one.graphWith(SMALL);
  await one.write(graph, 0, block("gone with the reset"));
  await other.import(graph, SMALL, true);
  const waiting = [one.send(graph, 0, block("first")), one.send(graph, 1, block("second"))];
  assert.deepEqual(await Promise.all(waiting), [
    { type: "tx/batch/ok", t: 1 },
    { type: "tx/batch/ok", t: 2 },
  ]);
});

Deno.test("A batch of no graph has no answer and leaves nothing", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  assert.equal(await server.send(newGraphId(), 0, block("x")), undefined);
  assert.deepEqual(await dump(kv), []);
});

Deno.test("A batch that is more than a commit holds, of a graph that is removed just then, leaves nothing", async () => {
  using store = await Deno.openKv(":memory:");
  const graph = await new Process(store).createGraph();
  const kv = withCommit(store, async (commit, before) => {
    const parts = { kv: store, stores: openBlobStores(store), now: () => 1000 };
    if (before === 0) await openGraphs(parts).remove(graph);
    return await commit();
  });
  assert.equal(await new Process(kv).send(graph, 0, block(noise(1_000_000))), undefined);
  assert.deepEqual(await dump(store), []);
});

Deno.test("Checks come in the order of the protocol: what comes first is the answer", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const graph = await server.graphWith(SMALL);
  const { cycle, ...others } = REFUSED;
  const reason = async (t: number, ...txs: readonly string[]): Promise<unknown> => {
    const answer = await server.send(graph, t, ...txs);
    return answer !== undefined && "reason" in answer ? answer.reason : answer;
  };
  for (const { txs } of [...Object.values(others), cycle]) {
    assert.equal(await reason(1, ...txs), "stale");
  }
  assert.equal(await reason(0, "[]", "["), "invalid tx");
  assert.equal(await reason(0, "[]", '["~#list",[]]'), "empty tx data");
  assert.equal(await reason(0), "empty tx data");
  assert.equal(await reason(0, "[]", ...cycle.txs), "cycle");
  const missing = others["invalid tx, as nobody is found"].txs;
  assert.equal(await reason(0, ...cycle.txs, missing[1].replace(UUID, newGraphId())), "invalid tx");
  assert.equal(await reason(0, block("well"), "["), "invalid tx");
  assert.equal((await headOf(kv, graph)).t, 0);
});

for (const [why, { t, txs }] of Object.entries(REFUSED)) {
  Deno.test(`A batch that is refused as ${why} changes nothing in the store`, async () => {
    using kv = await Deno.openKv(":memory:");
    const server = new Process(kv);
    const graph = await server.graphWith(SMALL);
    const before = await dump(kv);
    const answer = await server.send(graph, t, ...txs);
    assert.ok(answer?.type === "tx/reject", JSON.stringify(answer));
    assert.equal(answer.reason, why.replace(/,.*/, ""));
    assert.deepEqual(await dump(kv), before);
    assert.deepEqual(server.told, []);
    // Nor in memory: the next one has version 1 for itself.
    await server.write(graph, 0, block("next"));
    const fresh = new Process(kv);
    assert.deepEqual(await server.datoms(graph), await fresh.datoms(graph));
  });
}

const SIZES = { "a batch": "x", "a batch beyond what one commit holds": noise(700_000) } as const;

for (const [made, lose] of Object.entries(LOST)) {
  for (const [size, title] of Object.entries(SIZES)) {
    Deno.test(`When the answer to any commit of ${size} is lost that ${made}, the batch is stored once`, async () => {
      for (let lostAt = 0, commits = 1; lostAt < commits; lostAt++) {
        using store = await Deno.openKv(":memory:");
        const graph = await new Process(store).graphWith(SMALL);
        let seen = 0;
        const kv = withCommit(store, (commit, before) => {
          seen = before + 1;
          return before === lostAt ? lose(commit) : commit();
        });
        const server = new Process(kv);
        assert.deepEqual(await server.send(graph, 0, blockTx(UUID, title)), {
          type: "tx/batch/ok",
          t: 1,
        });
        // Up to here; the last round loses none.
        commits = seen;
        const log = await logOf(store, graph);
        assert.equal(log.t, 1);
        assert.deepEqual(log.txs.map((entry) => entry.tx.includes(title)), [true]);
        assert.deepEqual(server.told, [1]);
        // What is in memory is what is stored.
        await server.write(graph, 1, block("next"));
        const fresh = new Process(store);
        assert.deepEqual(await server.datoms(graph), await fresh.datoms(graph));
      }
    });
  }

  const stored = made !== "was not made";
  Deno.test(`When every commit's answer is lost and it ${made}, the batch is an error or stored, never twice`, async () => {
    using store = await Deno.openKv(":memory:");
    const setup = new Process(store);
    const graph = await setup.graphWith(SMALL);
    const before = await dump(store);
    let commits = 0;
    const kv = withCommit(store, (commit) => {
      commits++;
      return lose(commit);
    });
    const server = new Process(kv);
    if (stored) {
      assert.deepEqual(await server.send(graph, 0, block("x")), { type: "tx/batch/ok", t: 1 });
      assert.equal((await logOf(store, graph)).txs.length, 1);
      assert.equal(commits, 1);
    } else {
      await assert.rejects(server.send(graph, 0, block("x")), UnsettledError);
      assert.deepEqual(await dump(store), before);
      assert.ok(commits <= 10, `${commits} commits`);
    }
  });
}

Deno.test("Of a store that takes no commits the log is told once a batch, and the fault says why", async () => {
  using store = await Deno.openKv(":memory:");
  const graph = await new Process(store).graphWith(SMALL);
  const full = new Error("database or disk is full");
  const server = new Process(withCommit(store, () => Promise.reject(full)));
  const logged = await loggedBy(async () => {
    await assert.rejects(server.send(graph, 0, block("x")), (thrown) => {
      assert.ok(thrown instanceof UnsettledError);
      assert.equal(thrown.cause, full);
      return true;
    });
  });
  const told = logged.filter((record) => record.level === "warning").map(textOf);
  assert.equal(told.length, 1, told.join("\n"));
});

for (const [made, lose] of Object.entries(LOST).slice(0, 2)) {
  Deno.test(`When a commit whose answer is lost ${made}, and others wrote after it, the batch is stored once`, async () => {
    using store = await Deno.openKv(":memory:");
    const other = new Process(store);
    const graph = await other.graphWith(SMALL);
    const kv = withCommit(store, async (commit, before) => {
      if (before > 0) return await commit();
      return await lose(async () => {
        const result = await commit();
        await other.write(graph, 1, block("other"), block("another"));
        return result;
      });
    });
    const server = new Process(kv);
    await server.write(graph, 0, block("mine"));
    const titles = (await logOf(store, graph)).txs.map(({ tx }) =>
      /mine|another|other/.exec(tx)?.[0]
    );
    assert.deepEqual(titles, ["mine", "other", "another"]);
    await server.write(graph, 3, block("next"));
    assert.deepEqual(await server.datoms(graph), await other.datoms(graph));
  });
}

Deno.test("When a commit was not made whose answer is lost, and another's came in its place, the batch is stale", async () => {
  using store = await Deno.openKv(":memory:");
  const other = new Process(store);
  const graph = await other.graphWith(SMALL);
  const kv = withCommit(store, async (commit, before) => {
    if (before > 0) return await commit();
    await other.write(graph, 0, block("other"));
    throw new Error("connection lost");
  });
  const server = new Process(kv);
  const answer = await server.send(graph, 0, block("mine"));
  assert.deepEqual(answer, { type: "tx/reject", reason: "stale", t: 1 });
  assert.equal((await logOf(store, graph)).txs.length, 1);
});

/** The store, with something that another process does just before the first commit. */
function withOther(store: Deno.Kv, first: () => Promise<unknown>): Deno.Kv {
  return withCommit(store, async (commit, before) => {
    if (before === 0) await first();
    return await commit();
  });
}

Deno.test("A batch that another process comes before is stale", async () => {
  using store = await Deno.openKv(":memory:");
  const other = new Process(store);
  const graph = await other.graphWith(SMALL);
  const server = new Process(withOther(store, () => other.write(graph, 0, block("other"))));
  const answer = await server.send(graph, 0, block("mine"));
  assert.deepEqual(answer, { type: "tx/reject", reason: "stale", t: 1 });
  await server.write(graph, 1, block("mine"));
  assert.equal((await logOf(store, graph)).txs.length, 2);
});

for (const [why, { txs }] of Object.entries(REFUSED)) {
  Deno.test(`A batch that would be refused as ${why} is stale, if another process came before`, async () => {
    using kv = await Deno.openKv(":memory:");
    const [one, other] = [new Process(kv), new Process(kv)];
    const graph = await one.graphWith(SMALL);
    await one.write(graph, 0, block("one"));
    await other.write(graph, 1, block("two"));
    const answer = await one.send(graph, 1, ...txs);
    assert.deepEqual(answer, { type: "tx/reject", reason: "stale", t: 2 });
  });
}

Deno.test("A batch that only an import of rows comes before is accepted, on the new rows", async () => {
  using store = await Deno.openKv(":memory:");
  const other = new Process(store);
  const graph = await other.graphWith(SMALL);
  const server = new Process(withOther(store, () => other.import(graph, [SPARE])));
  await server.write(graph, 0, block("mine"));
  assert.deepEqual((await rowsOf(store, graph)).at(-1), SPARE);
  assert.equal((await logOf(store, graph)).txs.length, 1);
});

Deno.test("A batch that fails on an upload that broke off is accepted on the one that is made anew", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const graph = await server.graphWith(SMALL.slice(0, SMALL.length / 2));
  await assert.rejects(server.send(graph, 0, block("mine")), RowMissingError);
  await server.import(graph, SMALL, true);
  await server.write(graph, 0, block("mine"));
  assert.equal((await logOf(kv, graph)).txs.length, 1);
});

Deno.test("A batch that a reset comes before is judged by the graph after it", async () => {
  using store = await Deno.openKv(":memory:");
  const other = new Process(store);
  const graph = await other.graphWith(SMALL);
  await other.write(graph, 0, blockTx(UUID, "one"));
  const reset = (): Promise<unknown> =>
    openGraphs({ kv: store, stores: openBlobStores(store), now: () => 2000 }).reset(graph);
  const server = new Process(withOther(store, reset));
  const answer = await server.send(graph, 1, blockTx(UUID, "two"));
  assert.deepEqual(answer, { type: "tx/reject", reason: "stale", t: 0 });
  assert.deepEqual(await logOf(store, graph), { type: "pull/ok", t: 0, txs: [] });
});

Deno.test("Two processes that write by turns read of each other's batches just the tail", async () => {
  using store = await Deno.openKv(":memory:");
  const { kv, take } = counted(store);
  const a = new Process(kv);
  const b = new Process(kv);
  const graph = await a.graphWith(SMALL);
  await a.write(graph, 0, blockTx(UUID, "0"));
  await b.write(graph, 1, blockTx(UUID, "1"));
  take();
  for (let t = 2; t < 12; t++) {
    await (t % 2 === 0 ? a : b).write(graph, t, blockTx(UUID, `${t}`));
    assert.deepEqual(take(), { ...NOTHING, gets: 1, lists: 1, listed: 1, commits: 1 });
  }
  const fresh = new Process(store);
  const datoms = await fresh.datoms(graph);
  assert.deepEqual(await a.datoms(graph), datoms);
  assert.deepEqual(await b.datoms(graph), datoms);
});

Deno.test("A graph without rows is founded once, though two processes opened it empty", async () => {
  using store = await Deno.openKv(":memory:");
  const a = new Process(store);
  const graph = await a.createGraph();
  const rowsSet: number[] = [];
  const seen = new Proxy(store, {
    get(target, name): unknown {
      const value: unknown = Reflect.get(target, name);
      if (name !== "atomic") return typeof value === "function" ? value.bind(target) : value;
      return (): Deno.AtomicOperation => {
        const operation = target.atomic();
        const set = operation.set.bind(operation);
        operation.set = (key, ...rest): Deno.AtomicOperation => {
          const place = parseRowKey(key);
          if (place !== undefined) rowsSet.push(place.addr);
          return set(key, ...rest);
        };
        return operation;
      };
    },
  });
  const b = new Process(seen);
  // Refused, but it opens the graph.
  assert.equal((await b.send(graph, 0, ...REFUSED.cycle.txs))?.type, "tx/reject");
  await a.write(graph, 0, blockTx(UUID, "a"));
  await b.write(graph, 1, blockTx(UUID, "b"));
  await b.write(graph, 2, block("c"));
  assert.deepEqual(rowsSet, []);
  const fresh = new Process(store);
  assert.deepEqual(await b.datoms(graph), await fresh.datoms(graph));
});

Deno.test("Whatever two processes and an import do by turns, all have one database, and one log", async () => {
  const cases = readCases("small-a").filter(({ response }) => response.type === "tx/batch/ok");
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom("a", "b", "import", "a twice"), { minLength: 1, maxLength: 12 }),
      async (steps) => {
        using store = await Deno.openKv(":memory:");
        const a = new Process(store);
        const b = new Process(store);
        const graph = await a.graphWith(SMALL);
        let t = 0;
        for (const step of steps) {
          if (step === "import") {
            await b.import(graph, [SPARE]);
            continue;
          }
          const server = step === "b" ? b : a;
          for (let i = 0; i < (step === "a twice" ? 2 : 1); i++) {
            await server.writeBatch(graph, t, cases[t]?.request.txs ?? [block("x")]);
            t++;
          }
        }
        const fresh = new Process(store);
        const datoms = await fresh.datoms(graph);
        assert.deepEqual(await a.datoms(graph), datoms);
        assert.deepEqual(await b.datoms(graph), datoms);
        const log = await logOf(store, graph);
        assert.deepEqual(
          log.txs.map((entry) => entry.t),
          Array.from({ length: t }, (_, i) => i + 1),
        );
      },
    ),
    { numRuns: 6 },
  );
});
