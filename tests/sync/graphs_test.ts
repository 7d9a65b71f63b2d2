import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { openBlobStores } from "../../assets/open.ts";
import { writeInCommits } from "../../kv/commit.ts";
import { markGarbage } from "../../kv/garbage.ts";
import { createGraph } from "../../kv/graphs.ts";
import { commitHead, type Head, readHead } from "../../kv/head.ts";
import { creationKey } from "../../kv/keys.ts";
import { rowSets } from "../../kv/rows.ts";
import { entryChange } from "../../kv/txlog.ts";
import { graphsAnswerSchema } from "../../protocol/http.ts";
import {
  type GraphId,
  newGeneration,
  newGraphId,
  nextT,
  ROOT_ADDR,
  TAIL_ADDR,
} from "../../protocol/ids.ts";
import { listedGraphSchema } from "../../protocol/today/http.ts";
import type { Fanout } from "../../sync/fanout.ts";
import { type Graphs, openGraphs } from "../../sync/graphs.ts";
import { sweepGarbage } from "../../sync/sweep.ts";
import { dump, keysOf, LOST, withCommit, withMethods } from "../support/kv.ts";
import { noise } from "../support/noise.ts";
import { userOf } from "../support/user.ts";
import { created } from "../support/created.ts";

const alice = userOf("alice");
const bob = userOf("bob");

/** Each call of the clock is a millisecond later, from 1000 on. */
function openAt(kv: Deno.Kv, ended: Fanout["ended"] = () => {}): Graphs {
  let ms = 1000;
  return openGraphs({ kv, stores: openBlobStores(kv), now: () => ms++, ended });
}

async function headOf(kv: Deno.Kv, graph: GraphId): Promise<Head> {
  const head = await readHead(kv, graph);
  assert.ok(head !== undefined);
  return head;
}

/** One accepted batch and some rows, one of them in parts; the rows under their own generation. */
async function fill(kv: Deno.Kv, graph: GraphId, updatedAt = 2000): Promise<Head> {
  const head = await headOf(kv, graph);
  const t = nextT(head.t);
  const rows = newGeneration();
  await writeInCommits(kv, [
    ...rowSets(graph, rows, { addr: ROOT_ADDR, content: "root", addresses: "[2]" }),
    ...rowSets(graph, rows, { addr: TAIL_ADDR, content: noise(200_000), addresses: null }),
  ]);
  const outcome = await commitHead(kv, head, { ...head, t, rows, rowsVersion: 3, updatedAt }, {
    sets: entryChange(graph, head.log, { t, tx: noise(100_000), tail: "[]", writer: "w" }),
    deletes: [],
  });
  assert.ok(outcome.kind === "committed");
  return outcome.head;
}

Deno.test("A graph that was made is listed to its owner in both spellings, at version 0", async () => {
  using kv = await Deno.openKv(":memory:");
  const graphs = openAt(kv);
  const graph = await created(graphs, alice, { graph_name: "notes", schema_version: "65.2" });
  assert.deepEqual(await graphs.list(alice), [{
    "graph_id": graph,
    "graph_name": "notes",
    "schema_version": "65.2",
    "created_at": 1000,
    "updated_at": 1000,
    "graph-id": graph,
    "graph-name": "notes",
    "schema-version": "65.2",
    "graph-e2ee?": false,
    "graph-ready-for-use?": true,
    "created-at": 1000,
    "updated-at": 1000,
    "role": "manager",
  }]);
  assert.equal((await headOf(kv, graph)).t, 0);
  assert.deepEqual(await graphs.list(bob), []);
});

Deno.test("A schema version that is none is left out", async () => {
  using kv = await Deno.openKv(":memory:");
  const graphs = openAt(kv);
  await created(graphs, alice, { graph_name: "without" });
  await created(graphs, alice, { graph_name: "null", schema_version: null });
  const list = await graphs.list(alice);
  for (const graph of list) {
    assert.deepEqual(Object.keys(graph).filter((key) => /schema/.test(key)), []);
    graphsAnswerSchema.parse({ graphs: [graph] });
    listedGraphSchema.parse(graph);
  }
});

Deno.test("A graph is listed as encrypted, or not ready yet, if it was made so", async () => {
  using kv = await Deno.openKv(":memory:");
  const graphs = openAt(kv);
  await created(graphs, alice, { graph_name: "notes", e2ee: true, readyForUse: false });
  const [graph] = await graphs.list(alice);
  assert.equal(graph?.["graph-e2ee?"], true);
  assert.equal(graph?.["graph-ready-for-use?"], false);
});

Deno.test("Graphs are listed by their last change, newest first, however many", async () => {
  using kv = await Deno.openKv(":memory:");
  const graphs = openAt(kv);
  const made: GraphId[] = [];
  for (let i = 0; i < 25; i++) made.push(await created(graphs, alice, { graph_name: `${i}` }));
  const [oldest] = made;
  assert.ok(oldest !== undefined);
  await fill(kv, oldest, 5000);
  const list = await graphs.list(alice);
  assert.deepEqual(list.map(({ graph_id }) => graph_id), [oldest, ...made.slice(1).toReversed()]);
  assert.equal(list[0]?.updated_at, 5000);
  assert.equal(list[0]?.created_at, 1000);
});

Deno.test("A creation whose commit came late is no other graph of its name", async () => {
  using store = await Deno.openKv(":memory:");
  let late: (() => Promise<unknown>) | undefined;
  const losing = withCommit(store, (commit, before) => {
    if (before > 0) return commit();
    late = commit;
    return Promise.reject(new Error("connection lost"));
  });
  const kv = withMethods(losing, {
    get: async (key: Deno.KvKey): Promise<Deno.KvEntryMaybe<unknown>> => {
      if (isDeepStrictEqual(key, creationKey(alice))) await late?.();
      return await store.get(key);
    },
  });
  const graphs = openAt(kv);
  const asked = { graph_name: "notes", onlyOfName: true };
  const outcome = await graphs.create(5, alice, asked);
  assert.ok(outcome.kind === "created" && late !== undefined);
  assert.deepEqual((await graphs.list(alice)).map((graph) => graph.graph_id), [outcome.graph]);
  late = undefined;
  assert.deepEqual(await graphs.create(5, alice, asked), { kind: "name taken" });
});

Deno.test("Of a name that is to be the only one none is made beside what is restored just then", async () => {
  using store = await Deno.openKv(":memory:");
  const restored = { owner: alice, name: "notes", createdAt: 0 };
  const kv = withCommit(store, async (commit, before) => {
    if (before === 0) await createGraph(store, newGraphId(), restored);
    return await commit();
  });
  const outcome = await openAt(kv).create(5, alice, { graph_name: "notes", onlyOfName: true });
  assert.deepEqual(outcome, { kind: "name taken" });
});

Deno.test("A graph is its owner's, forbidden to others, and missing where there is none", async () => {
  using kv = await Deno.openKv(":memory:");
  const graphs = openAt(kv);
  const graph = await created(graphs, alice, { graph_name: "notes" });
  assert.equal(await graphs.access(alice, graph), "manager");
  assert.equal(await graphs.access(bob, graph), "forbidden");
  assert.equal(await graphs.access(alice, newGraphId()), "missing");
  await graphs.remove(graph);
  assert.equal(await graphs.access(alice, graph), "missing");
});

Deno.test("A removal leaves no key at all, and can be repeated", async () => {
  using kv = await Deno.openKv(":memory:");
  const graphs = openAt(kv);
  const graph = await created(graphs, alice, { graph_name: "notes" });
  await fill(kv, graph);
  // The rows' first generation, which the head has let go of, and an import that was cut off.
  const cutOff = newGeneration();
  await writeInCommits(kv, [
    ...markGarbage(graph, [cutOff], 0),
    ...rowSets(graph, cutOff, { addr: ROOT_ADDR, content: "x", addresses: null }),
  ]);
  await graphs.remove(graph);
  assert.deepEqual(await keysOf(kv), []);
  await graphs.remove(graph);
  assert.deepEqual(await keysOf(kv), []);
});

Deno.test("A removal leaves other graphs alone", async () => {
  using kv = await Deno.openKv(":memory:");
  const graphs = openAt(kv);
  const kept = await created(graphs, alice, { graph_name: "kept" });
  await fill(kv, kept);
  const before = await dump(kv);
  const graph = await created(graphs, alice, { graph_name: "notes" });
  await fill(kv, graph);
  await graphs.remove(graph);
  assert.deepEqual(await dump(kv), before);
});

Deno.test("A removal that is cut off after any commit is finished by the next one", async () => {
  for (let cutAt = 0;; cutAt++) {
    using kv = await Deno.openKv(":memory:");
    const graph = await created(openAt(kv), alice, { graph_name: "notes" });
    await fill(kv, graph);
    let commits = 0;
    const cut = withCommit(kv, (commit, before) => {
      commits++;
      return before < cutAt ? commit() : Promise.reject(new Error("the process was killed"));
    });
    const ended = await openAt(cut).remove(graph).then(() => "done", () => "cut");
    await openAt(kv).remove(graph);
    assert.deepEqual(await keysOf(kv), [], `cut after ${cutAt} commits`);
    if (ended === "done") {
      assert.equal(commits, cutAt);
      break;
    }
  }
});

Deno.test("A reset empties log and rows, leaves none of the old keys, and t is 0", async () => {
  using kv = await Deno.openKv(":memory:");
  const graphs = openAt(kv);
  const graph = await created(graphs, alice, { graph_name: "notes" });
  const fresh = await keysOf(kv);
  const old = await fill(kv, graph);
  assert.equal(await graphs.reset(graph), true);
  assert.deepEqual(await keysOf(kv), fresh);
  const head = await headOf(kv, graph);
  assert.deepEqual([head.t, head.rowsVersion], [0, 0]);
  assert.ok(head.log !== old.log && head.rows !== old.rows);
  assert.equal(await graphs.access(alice, graph), "manager");
});

Deno.test("Sockets are told of a reset or removal though what it left can't be swept, which a later sweep does", async () => {
  for (const [end, call] of [["reset", "reset"], ["deleted", "remove"]] as const) {
    using kv = await Deno.openKv(":memory:");
    const graph = await created(openAt(kv), alice, { graph_name: "notes" });
    const old = await fill(kv, graph);
    const told: unknown[] = [];
    const failing = withCommit(kv, async (commit, before) => {
      if (before > 0) throw new Error("The store is away");
      return await commit();
    });
    const graphs = openAt(failing, (...news) => void told.push(news));
    const answer = await graphs[call](graph).catch((cause: Error) => cause.name);
    assert.deepEqual(told, [[graph, end]]);
    assert.equal(answer, end === "reset" ? true : "Error");
    const left = async (): Promise<readonly Deno.KvKey[]> =>
      (await keysOf(kv)).filter((key) => key.includes(old.rows));
    assert.ok((await left()).length > 0);
    await sweepGarbage(kv, { now: () => Number.MAX_SAFE_INTEGER });
    assert.deepEqual(await left(), []);
  }
});

Deno.test("A reset of no graph says so and writes nothing", async () => {
  using kv = await Deno.openKv(":memory:");
  assert.equal(await openAt(kv).reset(newGraphId()), undefined);
  assert.deepEqual(await keysOf(kv), []);
});

Deno.test("A batch that lands before a reset's commit is reset with the rest", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await created(openAt(kv), alice, { graph_name: "notes" });
  const fresh = await keysOf(kv);
  const racing = withCommit(kv, async (commit, before) => {
    if (before === 0) await fill(kv, graph);
    return await commit();
  });
  assert.equal(await openAt(racing).reset(graph), true);
  assert.equal((await headOf(kv, graph)).t, 0);
  const logs = await Array.fromAsync(kv.list({ prefix: ["log"] }));
  assert.deepEqual(logs, []);
  assert.deepEqual((await keysOf(kv)).filter(([name]) => name !== "row"), fresh);
});

Deno.test("A batch that lands before a removal's commit is removed with the rest", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await created(openAt(kv), alice, { graph_name: "notes" });
  const racing = withCommit(kv, async (commit, before) => {
    if (before === 0) await fill(kv, graph);
    return await commit();
  });
  await openAt(racing).remove(graph);
  assert.deepEqual(await keysOf(kv), []);
});

/** The first commit's answer is lost in this way. */
function breaking(kv: Deno.Kv, lose: (typeof LOST)[keyof typeof LOST]): Deno.Kv {
  return withCommit(kv, (commit, before) => before === 0 ? lose(commit) : commit());
}

Deno.test("A lost answer is settled by what the store says, written or not", async () => {
  for (const lose of Object.values(LOST)) {
    using kv = await Deno.openKv(":memory:");
    const graph = await created(openAt(breaking(kv, lose)), alice, { graph_name: "notes" });
    assert.deepEqual(
      (await openAt(kv).list(alice)).map(({ graph_id }) => graph_id),
      [graph],
    );
    const fresh = await keysOf(kv);
    const { log } = await fill(kv, graph);

    assert.equal(await openAt(breaking(kv, lose)).reset(graph), true);
    assert.deepEqual(await keysOf(kv), fresh);
    const head = await headOf(kv, graph);
    assert.ok(head.t === 0 && head.log !== log);

    await fill(kv, graph);
    await openAt(breaking(kv, lose)).remove(graph);
    assert.deepEqual(await keysOf(kv), []);
  }
});

Deno.test("A reset that is committed though its outcome is unknown is made once", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await created(openAt(kv), alice, { graph_name: "notes" });
  let reset: Head | undefined;
  const broken = withCommit(kv, async (commit, before) => {
    const result = await commit();
    if (before > 0) return result;
    reset = await headOf(kv, graph);
    throw new Error("connection reset");
  });
  assert.equal(await openAt(broken).reset(graph), true);
  assert.deepEqual(await headOf(kv, graph), reset);
});

Deno.test("A store that takes no commit is a fault, with its cause", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await created(openAt(kv), alice, { graph_name: "notes" });
  const before = await dump(kv);
  const cause = new Error("connection reset");
  const broken = openAt(withCommit(kv, () => Promise.reject(cause)));
  for (
    const attempt of [
      () => created(broken, alice, { graph_name: "more" }),
      () => broken.reset(graph),
      () => broken.remove(graph),
    ]
  ) {
    await assert.rejects(attempt, (fault) => fault instanceof Error && fault.cause === cause);
  }
  assert.deepEqual(await dump(kv), before);
});
