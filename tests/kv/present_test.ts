import assert from "node:assert/strict";
import { createGraph, readMeta, removeGraph } from "../../kv/graphs.ts";
import {
  endLease,
  type Present,
  readPresent,
  renewLease,
  sweepPresent,
  writePresent,
} from "../../kv/present.ts";
import { type GraphId, newGraphId } from "../../protocol/ids.ts";
import { keysOf, LOST, withCommit } from "../support/kv.ts";
import { ALICE, BOB, headOf } from "../support/process.ts";
import { userOf } from "../support/user.ts";

const own = crypto.randomUUID();
const other = crypto.randomUUID();
const [alice, bob]: readonly Present[] = [{ id: ALICE, at: 1 }, { id: BOB, name: "Bob", at: 2 }];
assert.ok(alice !== undefined && bob !== undefined);

async function newGraph(kv: Deno.Kv): Promise<GraphId> {
  const graph = newGraphId();
  await createGraph(kv, graph, { owner: ALICE, name: "notes", createdAt: 0 });
  return graph;
}

async function peopleOf(kv: Deno.Kv, graph: GraphId): Promise<string | null> {
  return (await kv.get(["people", graph])).versionstamp;
}

Deno.test("Who is at another instance is read while its lease runs, and each write is news", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await newGraph(kv);
  const seen = new Set([await peopleOf(kv, graph)]);
  const write = async (instance: string, users: readonly Present[]): Promise<void> => {
    const outcome = await writePresent(kv, graph, { instance, until: 100 }, users);
    assert.equal(outcome.kind, "committed");
    seen.add(await peopleOf(kv, graph));
  };
  await write(own, [alice]);
  await write(other, [alice, bob]);
  assert.deepEqual(await readPresent(kv, graph, own, 99), [alice, bob]);
  assert.deepEqual(await readPresent(kv, graph, other, 99), [alice]);
  assert.deepEqual(await readPresent(kv, graph, own, 100), []);
  await renewLease(kv, { instance: other, until: 200 });
  assert.deepEqual(await readPresent(kv, graph, own, 100), [alice, bob]);
  await write(other, []);
  assert.deepEqual(await readPresent(kv, graph, own, 99), []);
  await endLease(kv, own);
  assert.deepEqual(await readPresent(kv, graph, other, 99), []);
  assert.equal(seen.size, 4);
});

Deno.test("Of more users than a value holds the last are left out", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await newGraph(kv);
  const users = Array.from({ length: 400 }, (_, i) => ({
    id: userOf(`${i}`),
    name: "ü".repeat(150),
    at: 1,
  }));
  const outcome = await writePresent(kv, graph, { instance: other, until: 100 }, users);
  assert.equal(outcome.kind, "committed");
  const read = await readPresent(kv, graph, own, 99);
  assert.ok(read.length > 150 && read.length < 400, `${read.length}`);
  assert.deepEqual(read, users.slice(0, read.length));
});

Deno.test("Nothing is written of who is at a graph that is removed meanwhile, or is gone", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await newGraph(kv);
  const meta = await readMeta(kv, graph);
  assert.ok(meta !== undefined);
  const racing = withCommit(kv, async (commit) => {
    await removeGraph(kv, meta, await headOf(kv, graph), 0);
    return await commit();
  });
  const lease = { instance: own, until: 100 };
  assert.deepEqual(await writePresent(racing, graph, lease, [alice]), { kind: "conflict" });
  assert.deepEqual(await writePresent(kv, graph, lease, [alice]), { kind: "gone" });
  const left = new Set((await keysOf(kv)).map(([kind]) => kind));
  assert.ok(!left.has("present") && !left.has("people"));
});

Deno.test("A sweep takes nothing away from an instance that renews its lease meanwhile", async () => {
  using kv = await Deno.openKv(":memory:");
  const graphs = [await newGraph(kv), await newGraph(kv)];
  for (const graph of graphs) await writePresent(kv, graph, { instance: other, until: 100 }, [bob]);
  let hadLease: boolean | undefined;
  const racing = withCommit(kv, async (commit, before) => {
    if (before === 0) hadLease = await renewLease(kv, { instance: other, until: 200 });
    return await commit();
  });
  await sweepPresent(racing, 100);
  assert.equal(hadLease, true);
  for (const graph of graphs) assert.deepEqual(await readPresent(kv, graph, own, 100), [bob]);
});

Deno.test("A lease that is swept while it is renewed is made anew, and that is told", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await newGraph(kv);
  const lease = { instance: other, until: 100 };
  await writePresent(kv, graph, lease, [bob]);
  const racing = withCommit(kv, async (commit, before) => {
    if (before === 0) await sweepPresent(kv, 100);
    return await commit();
  });
  assert.equal(await renewLease(racing, { ...lease, until: 200 }), false);
  assert.equal(await renewLease(kv, { ...lease, until: 200 }), true);
  for (const lose of Object.values(LOST)) {
    const lossy = withCommit(kv, (commit, before) => before === 0 ? lose(commit) : commit());
    assert.equal(await renewLease(lossy, { ...lease, until: 200 }), true);
  }
});

Deno.test("A sweep forgets instances whose lease is over, but not one that comes to life meanwhile", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await newGraph(kv);
  await writePresent(kv, graph, { instance: own, until: 101 }, [alice]);
  await writePresent(kv, graph, { instance: other, until: 100 }, [bob]);
  const racing = withCommit(kv, async (commit, before) => {
    const lease = { instance: other, until: 200 };
    if (before === 0) await writePresent(kv, graph, lease, [bob]);
    return await commit();
  });
  await sweepPresent(racing, 100);
  assert.deepEqual(await readPresent(kv, graph, own, 100), [bob]);
  assert.equal(await sweepPresent(kv, 200), 2);
  assert.ok(!(await keysOf(kv)).some(([kind]) => kind === "present" || kind === "instance"));
});

Deno.test("A lease of a clock that was far ahead and has been set since is over, and is swept", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await newGraph(kv);
  const [now, year] = [1_800_000_000_000, 365 * 24 * 60 * 60 * 1000];
  await writePresent(kv, graph, { instance: own, until: now + 60_000 }, [alice]);
  await writePresent(kv, graph, { instance: other, until: now + year + 60_000 }, [bob]);
  assert.deepEqual(await readPresent(kv, graph, own, now), []);
  assert.equal(await sweepPresent(kv, now), 1);
  assert.deepEqual(await readPresent(kv, graph, other, now), [alice]);
});
