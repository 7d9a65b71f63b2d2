import assert from "node:assert/strict";
import { openBlobStores } from "../../assets/open.ts";
import { ACCEPTED_VERSIONS } from "../../kv/accepted.ts";
import { newGraphId } from "../../protocol/ids.ts";
import { flush } from "../../sync/flush.ts";
import { openGraphs } from "../../sync/graphs.ts";
import { MAX_VERSIONS, UnsettledError } from "../../sync/store.ts";
import { Turns } from "../../sync/turns.ts";
import { loggerFor } from "../../telemetry/log.ts";
import { counted, NOTHING } from "../support/counted_kv.ts";
import { readRows } from "../support/fixtures.ts";
import { blockTx, txOf } from "../support/forms.ts";
import { dump, withCommit } from "../support/kv.ts";
import { noise } from "../support/noise.ts";
import { ALICE, headOf, Process } from "../support/process.ts";
import { entry, lookup, newBlock, type WireEntry } from "../support/today.ts";
import { created } from "../support/created.ts";

const SMALL = readRows("small-a");

function uuid(i: number): string {
  return `6f1e2d3c-0000-4000-8000-${String(i).padStart(12, "0")}`;
}

/** A block that is made, or made again. */
function make(i: number, title = `block ${i}`): ReturnType<typeof entry> {
  return entry("insert-blocks", ...newBlock(uuid(i), title));
}

/** A change of a block that has to be there. */
function retitle(i: number, title: string): ReturnType<typeof entry> {
  return entry("save-block", ["~:db/add", lookup(uuid(i)), "~:block/title", title]);
}

/** A graph for today's clients, without a block. */
async function todaysGraph(kv: Deno.Kv): Promise<ReturnType<typeof newGraphId>> {
  return await created(openGraphs({ kv, stores: openBlobStores(kv), now: () => 1000 }), ALICE, {
    graph_name: "notes",
    e2ee: false,
    readyForUse: true,
  });
}

/** Of each entry of the log, its version and what it is for; the rest is the seed's. */
async function opsOf(kv: Deno.Kv, graph: string): Promise<readonly unknown[]> {
  const ops: unknown[] = [];
  for await (const { key, value } of kv.list<Uint8Array>({ prefix: ["log", graph] })) {
    const text = new TextDecoder().decode(value.subarray(value.indexOf(0x7b)));
    ops.push([key[3], /"outliner-op":("[^"]*"|null)/.exec(text)?.[1]]);
  }
  return ops;
}

Deno.test("Each entry that changes something is a version, all of them in one commit", async () => {
  using store = await Deno.openKv(":memory:");
  const { kv, take } = counted(store);
  const server = new Process(kv);
  const graph = await todaysGraph(kv);
  await server.sendEntries(graph, 0, make(1));
  await server.sendEntries(graph, 1, make(4));
  take();
  const answer = await server.sendEntries(graph, 2, make(2), make(3), retitle(2, "x"));
  assert.deepEqual(take(), { ...NOTHING, commits: 1 });
  assert.deepEqual(answer, {
    type: "tx/batch/ok",
    t: 5,
    checksum: await server.checksum(graph),
  });
  assert.deepEqual(server.told, [1, 2, 5]);
  assert.deepEqual(await server.datoms(graph), await new Process(kv).datoms(graph));
});

Deno.test("An entry that changes nothing makes no version, and is accepted", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const graph = await todaysGraph(kv);
  await server.sendEntries(graph, 0, make(1, "x"));
  const before = await dump(kv);
  const answer = await server.sendEntries(graph, 1, retitle(1, "x"), entry("save-block"));
  assert.deepEqual(answer, { type: "tx/batch/ok", t: 1, checksum: await server.checksum(graph) });
  assert.deepEqual(await dump(kv), before);
  assert.deepEqual(server.told, [1]);
  const mixed = await server.sendEntries(graph, 1, retitle(1, "x"), make(2), retitle(2, "block 2"));
  assert.equal(mixed?.type === "tx/batch/ok" && mixed.t, 2);
});

Deno.test("The log tells of each entry what it is for, where its client said so", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const graph = await todaysGraph(kv);
  const { "outliner-op": _, ...without } = make(3);
  await server.sendEntries(graph, 0, make(1), without, { ...make(4), "outliner-op": null });
  await server.write(graph, 3, blockTx(uuid(5), "from the seed's"));
  assert.deepEqual(await opsOf(kv, graph), [
    [1, '"insert-blocks"'],
    [2, undefined],
    [3, undefined],
    [4, undefined],
  ]);
});

Deno.test("An entry that fails refuses itself and what follows; what came before it stays", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const graph = await todaysGraph(kv);
  const [first, same, failing, last] = [make(1), retitle(1, "block 1"), retitle(9, "x"), make(2)];
  const answer = await server.sendEntries(graph, 0, first, same, failing, last);
  assert.deepEqual(answer, {
    "type": "tx/reject",
    "reason": "db transact failed",
    "t": 1,
    "success-tx-ids": [first["tx-id"], same["tx-id"]],
    "failed-tx-id": failing["tx-id"],
    "missing-block-uuids": [uuid(9)],
    "checksum": await server.checksum(graph),
  });
  assert.deepEqual(server.told, [1]);
  assert.equal((await logOfToday(kv, graph)).length, 1);
});

/** The titles in the log, by version. */
async function logOfToday(kv: Deno.Kv, graph: string): Promise<readonly string[]> {
  const entries = await Array.fromAsync(kv.list<Uint8Array>({ prefix: ["log", graph] }));
  return entries.map(({ value }) => new TextDecoder().decode(value));
}

const FAILING: Readonly<Record<string, WireEntry>> = {
  "is not Transit": { "tx": "[", "tx-id": uuid(100) },
  "is no list of forms": { "tx": '["^ "]', "tx-id": uuid(100) },
  "half of which could be done": entry("transact", ...newBlock(uuid(50), "half"), [
    "~:db/cas",
    lookup(uuid(50)),
    "~:block/title",
    "not so",
    "x",
  ]),
  "deletes nothing": entry("delete-blocks"),
};

for (const [what, failing] of Object.entries(FAILING)) {
  Deno.test(`An entry that ${what} changes nothing in the store`, async () => {
    using kv = await Deno.openKv(":memory:");
    const server = new Process(kv);
    const graph = await todaysGraph(kv);
    await server.sendEntries(graph, 0, make(1));
    const before = await dump(kv);
    const answer = await server.sendEntries(graph, 1, failing);
    assert.deepEqual(answer, {
      "type": "tx/reject",
      "reason": "db transact failed",
      "t": 1,
      "success-tx-ids": [],
      "failed-tx-id": failing["tx-id"],
      "checksum": await server.checksum(graph),
    });
    assert.deepEqual(await dump(kv), before);
    assert.deepEqual(server.told, [1]);
    // Nor in memory.
    await server.sendEntries(graph, 1, make(2));
    assert.deepEqual(await server.datoms(graph), await new Process(kv).datoms(graph));
  });
}

Deno.test("A batch on another version is stale, one without entries is empty; both change nothing", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const graph = await todaysGraph(kv);
  await server.sendEntries(graph, 0, make(1));
  const before = await dump(kv);
  const stale = { type: "tx/reject", reason: "stale", t: 1 };
  assert.deepEqual(await server.sendEntries(graph, 0, make(2)), stale);
  assert.deepEqual(await server.sendEntries(graph, 2, make(2)), stale);
  assert.deepEqual(await server.sendEntries(graph, 0), stale);
  assert.deepEqual(await server.sendEntries(graph, 1), {
    type: "tx/reject",
    reason: "empty tx data",
  });
  assert.deepEqual(await dump(kv), before);
  assert.equal(await server.sendEntries(newGraphId(), 0, make(1)), undefined);
});

Deno.test("A batch that is sent again on its own t-before is told again, and not applied twice", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await todaysGraph(kv);
  const batch = [make(1), make(2)];
  const first = await new Process(kv).sendEntries(graph, 0, ...batch);
  // By another process, as after a restart.
  const server = new Process(kv);
  const before = await dump(kv);
  assert.deepEqual(await server.sendEntries(graph, 0, ...batch), first);
  assert.deepEqual(await dump(kv), before);
  await server.sendEntries(graph, 2, make(3));
  // The checksum is that of a later version by now.
  assert.deepEqual(await server.sendEntries(graph, 0, ...batch), { type: "tx/batch/ok", t: 2 });
  const stale = { type: "tx/reject", reason: "stale", t: 3 };
  assert.deepEqual(await server.sendEntries(graph, 0, batch[1] ?? make(4)), stale);
  assert.deepEqual(await server.sendEntries(graph, 0, ...batch, make(4)), stale);
  const unnamed = batch.map(({ tx }) => ({ tx }));
  assert.deepEqual(await server.sendEntries(graph, 0, ...unnamed), stale);
});

Deno.test("So is one of which some entries changed nothing; but not one that was accepted in part", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await todaysGraph(kv);
  await new Process(kv).sendEntries(graph, 0, make(1));
  const same = (): ReturnType<typeof entry> => retitle(1, "block 1");
  const batch = [same(), make(2), same(), same(), make(3), same()];
  const first = await new Process(kv).sendEntries(graph, 1, ...batch);
  assert.equal(first?.type === "tx/batch/ok" && first.t, 3);
  const server = new Process(kv);
  await server.sendEntries(graph, 3, retitle(1, "other"));
  const before = await dump(kv);
  assert.deepEqual(await server.sendEntries(graph, 1, ...batch), { type: "tx/batch/ok", t: 3 });
  const stale = { type: "tx/reject", reason: "stale", t: 4 };
  assert.deepEqual(await server.sendEntries(graph, 0, ...batch), stale);
  assert.deepEqual(await server.sendEntries(graph, 2, ...batch), stale);
  assert.deepEqual(await server.sendEntries(graph, 1, ...batch.slice(4)), stale);
  assert.deepEqual(await server.sendEntries(graph, 1, ...batch, make(4)), stale);
  // On the version as it is what changed nothing then changes nothing now.
  const again = await server.sendEntries(graph, 4, ...batch);
  assert.equal(again?.type === "tx/batch/ok" && again.t, 4);
  assert.deepEqual(await dump(kv), before);

  const [made, failing] = [make(5), retitle(9, "x")];
  const rejected = await server.sendEntries(graph, 4, made, failing);
  assert.ok(rejected?.type === "tx/reject");
  assert.deepEqual(await server.sendEntries(graph, 4, made, failing), { ...stale, t: 5 });
  assert.deepEqual(await server.sendEntries(graph, 5, made, failing), rejected);
});

Deno.test("An entry that is sent again on a later version is accepted and not applied again", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await todaysGraph(kv);
  await new Process(kv).sendEntries(graph, 0, make(1));
  const mine = retitle(1, "mine");
  await new Process(kv).sendEntries(graph, 1, mine);
  await new Process(kv).sendEntries(graph, 2, retitle(1, "theirs"));
  const server = new Process(kv);
  const again = await server.sendEntries(graph, 3, mine);
  assert.deepEqual(again, { type: "tx/batch/ok", t: 3, checksum: await server.checksum(graph) });
  const [next, failing] = [make(2), retitle(9, "x")];
  const mixed = await server.sendEntries(graph, 3, mine, next, failing);
  assert.ok(mixed?.type === "tx/reject" && mixed.reason === "db transact failed");
  assert.equal(mixed.t, 4);
  assert.deepEqual(mixed["success-tx-ids"], [mine["tx-id"], next["tx-id"]]);
  const log = await logOfToday(kv, graph);
  assert.deepEqual(log.filter((text) => text.includes("mine")).length, 2); // made, and replaced
  assert.ok((await server.datoms(graph)).some((datom) => datom.includes("theirs")));
});

Deno.test("An entry that its client made anew on what it pulled is applied under the same id", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await todaysGraph(kv);
  await new Process(kv).sendEntries(graph, 0, make(1));
  const mine = retitle(1, "mine");
  await new Process(kv).sendEntries(graph, 1, mine);
  const rebased = { ...retitle(1, "mine, rebased"), "tx-id": mine["tx-id"] };
  const server = new Process(kv);
  for (let i = 0; i < 2; i++) {
    const answer = await server.sendEntries(graph, 2 + i, rebased);
    assert.equal(answer?.type === "tx/batch/ok" && answer.t, 3, "and once");
  }
  assert.ok((await server.datoms(graph)).some((datom) => datom.includes("mine, rebased")));
  const again = await new Process(kv).sendEntries(graph, 3, mine, rebased);
  assert.equal(again?.type === "tx/batch/ok" && again.t, 3);
});

Deno.test("An entry that is in a batch twice is applied once", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const graph = await todaysGraph(kv);
  await server.sendEntries(graph, 0, make(1));
  const twice = retitle(1, "twice");
  const answer = await server.sendEntries(graph, 1, twice, retitle(1, "between"), twice);
  assert.equal(answer?.type === "tx/batch/ok" && answer.t, 3);
});

Deno.test("Ids are kept of the last versions only, whoever made these", async () => {
  using store = await Deno.openKv(":memory:");
  const { kv, take } = counted(store);
  const server = new Process(kv);
  const graph = await todaysGraph(kv);
  const first = make(1);
  await server.sendEntries(graph, 0, first, make(2));
  let t = 2;
  while (t < ACCEPTED_VERSIONS) {
    const count = Math.min(MAX_VERSIONS, ACCEPTED_VERSIONS - t);
    const batch = Array.from({ length: count }, (_, i) => retitle(1, `${t + i}`));
    await server.sendEntries(graph, t, ...batch);
    t += count;
  }
  const again = await new Process(kv).sendEntries(graph, t, first);
  assert.equal(again?.type === "tx/batch/ok" && again.t, t, "still known");
  await server.write(graph, t, blockTx(uuid(3), "from the seed's"));
  const kept = await Array.fromAsync(kv.list({ prefix: ["accepted"] }));
  assert.equal(kept.length, ACCEPTED_VERSIONS - 1);
  await server.sendEntries(graph, t + 1, retitle(1, "warm"));
  take();
  await server.sendEntries(graph, t + 2, retitle(1, "warmer"));
  assert.equal(take().listed, 0, "ids read by a process that knows them");
  const forgotten = await new Process(kv).sendEntries(graph, t + 3, first);
  assert.equal(forgotten?.type === "tx/batch/ok" && forgotten.t, t + 4, "as if it were new");
});

Deno.test("More entries than one commit holds are stored in several, in order", async () => {
  using store = await Deno.openKv(":memory:");
  let commits = 0;
  const kv = withCommit(store, (commit) => {
    commits++;
    return commit();
  });
  const server = new Process(kv);
  const graph = await todaysGraph(kv);
  const batch = Array.from({ length: 2 * MAX_VERSIONS + 50 }, (_, i) => make(i));
  commits = 0;
  const answer = await server.sendEntries(graph, 0, ...batch);
  assert.deepEqual(answer, {
    type: "tx/batch/ok",
    t: batch.length,
    checksum: await server.checksum(graph),
  });
  assert.equal(commits, 3);
  const again = await new Process(store).sendEntries(graph, 0, ...batch);
  assert.deepEqual(again, answer);
});

Deno.test("Another's batch between two commits of a batch makes the rest stale; sent again it is applied once", async () => {
  using store = await Deno.openKv(":memory:");
  const graph = await todaysGraph(store);
  const other = new Process(store);
  const kv = withCommit(store, async (commit, before) => {
    if (before === 1) {
      await other.sendEntries(
        graph,
        MAX_VERSIONS,
        entry("save-block", ...newBlock(uuid(999), "o")),
      );
    }
    return await commit();
  });
  const server = new Process(kv);
  const batch = Array.from({ length: MAX_VERSIONS + 5 }, (_, i) => make(i));
  const answer = await server.sendEntries(graph, 0, ...batch);
  assert.deepEqual(answer, { type: "tx/reject", reason: "stale", t: MAX_VERSIONS + 1 });
  const again = await server.sendEntries(graph, MAX_VERSIONS + 1, ...batch);
  assert.equal(again?.type === "tx/batch/ok" && again.t, MAX_VERSIONS + 6);
});

Deno.test("Entries that are more than one commit holds are stored whole", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const graph = await todaysGraph(kv);
  const answer = await server.sendEntries(
    graph,
    0,
    make(1, noise(500_000)),
    make(2, noise(700_000)),
  );
  assert.equal(answer?.type === "tx/batch/ok" && answer.t, 2);
  await server.sendEntries(graph, 2, make(3));
  assert.deepEqual(await server.datoms(graph), await new Process(kv).datoms(graph));
});

/** The real commit with its answer lost, or no commit at all. */
const LOST = {
  "was made": async (commit: () => Promise<unknown>): Promise<never> => {
    await commit();
    throw new Error("connection lost");
  },
  "was not made": (): Promise<never> => Promise.reject(new Error("connection lost")),
} as const;

for (const [made, lose] of Object.entries(LOST)) {
  Deno.test(`When the answer to a commit of entries is lost that ${made}, they are stored once`, async () => {
    for (const big of ["x", noise(900_000)]) {
      for (let lostAt = 0, commits = 1; lostAt < commits; lostAt++) {
        using store = await Deno.openKv(":memory:");
        const graph = await todaysGraph(store);
        let seen = 0;
        const kv = withCommit(store, (commit, before) => {
          seen = before + 1;
          return before === lostAt ? lose(commit) : commit();
        });
        const server = new Process(kv);
        const failing = retitle(9, "x");
        const answer = await server.sendEntries(graph, 0, make(1, big), make(2), failing);
        commits = seen;
        assert.ok(answer?.type === "tx/reject" && answer.reason === "db transact failed");
        assert.deepEqual([answer.t, answer["failed-tx-id"]], [2, failing["tx-id"]]);
        assert.equal(answer.checksum, await server.checksum(graph));
        assert.deepEqual(server.told, [2]);
        const fresh = new Process(store);
        assert.deepEqual(await server.datoms(graph), await fresh.datoms(graph));
      }
    }
  });
}

Deno.test("When no commit is taken, nothing is stored and it is an error", async () => {
  using store = await Deno.openKv(":memory:");
  const graph = await todaysGraph(store);
  const before = await dump(store);
  const kv = withCommit(store, LOST["was not made"]);
  await assert.rejects(new Process(kv).sendEntries(graph, 0, make(1)), UnsettledError);
  assert.deepEqual(await dump(store), before);
});

Deno.test("A graph of the seed's clients has no checksum, nor ids, until one of today's writes to it", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const graph = await server.graphWith(SMALL);
  await server.write(graph, 0, blockTx(uuid(1), "one"));
  assert.equal((await headOf(kv, graph)).checksum, undefined);
  await server.sendEntries(graph, 1, make(2));
  const { checksum } = await headOf(kv, graph);
  assert.equal(checksum, await new Process(kv).checksum(graph));
  // From then on the seed's batches keep it too.
  await server.write(graph, 2, blockTx(uuid(1), "uno"), blockTx(uuid(3), "three"));
  assert.equal((await headOf(kv, graph)).checksum, await new Process(kv).checksum(graph));
});

Deno.test("Rows that are imported make a checksum unknown, and the next entry finds it out", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const graph = await todaysGraph(kv);
  await server.sendEntries(graph, 0, make(1));
  await server.import(graph, SMALL, true);
  assert.equal((await headOf(kv, graph)).checksum, "unknown");
  await server.write(graph, 0, blockTx(uuid(1), "one"));
  assert.equal((await headOf(kv, graph)).checksum, "unknown");
  const answer = await server.sendEntries(graph, 1, make(2));
  const expected = await new Process(kv).checksum(graph);
  assert.deepEqual(answer, { type: "tx/batch/ok", t: 2, checksum: expected });
  assert.equal((await headOf(kv, graph)).checksum, expected);
});

Deno.test("A flush leaves the checksum as it is, and a reset makes it unknown", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const graph = await todaysGraph(kv);
  const answer = await server.sendEntries(graph, 0, make(1), make(2));
  assert.ok(answer?.type === "tx/batch/ok");
  const parts = { databases: server.databases, turns: new Turns(), log: loggerFor("test") };
  assert.equal((await flush({ kv, ...parts, now: () => 1000 }, graph))?.kind, "done");
  const flushed = await headOf(kv, graph);
  assert.deepEqual([flushed.flushed, flushed.checksum], [2, answer.checksum]);
  const next = await server.sendEntries(graph, 2, retitle(1, "x"));
  assert.ok(next?.type === "tx/batch/ok");
  assert.equal(next.checksum, await new Process(kv).checksum(graph));
  await openGraphs({ kv, stores: openBlobStores(kv), now: () => 1000 }).reset(graph);
  assert.equal((await headOf(kv, graph)).checksum, "unknown");
});

Deno.test("The seed's batches on a graph of today's clients are answered as ever", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const graph = await todaysGraph(kv);
  await server.sendEntries(graph, 0, make(1));
  assert.deepEqual(await server.send(graph, 1, blockTx(uuid(1), "x")), {
    type: "tx/batch/ok",
    t: 2,
  });
  assert.deepEqual(await server.send(graph, 0, blockTx(uuid(1), "x")), {
    type: "tx/reject",
    reason: "stale",
    t: 2,
  });
});

Deno.test("The checksum is that of the whole graph, after many entries and after a batch of the seed's", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const graph = await todaysGraph(kv);
  const onPage = (i: number): readonly unknown[] =>
    newBlock(uuid(i), `${i}`, ["~:block/page", lookup(uuid(1))]);
  const seen = new Set<unknown>();
  const look = async (): Promise<void> => {
    const { checksum } = await headOf(kv, graph);
    assert.equal(checksum, await server.checksum(graph));
    seen.add(checksum);
  };
  await look();
  await server.sendEntries(graph, 0, make(1));
  await server.sendEntries(graph, 1, ...[2, 3].map((i) => entry("insert-blocks", ...onPage(i))));
  await look();
  await server.write(graph, 3, txOf(...onPage(4)));
  await look();
  assert.equal(seen.size, 3);
});
