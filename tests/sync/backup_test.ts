import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { graphKeySet, readGraphKey } from "../../kv/e2ee_keys.ts";
import { createGraph, readMeta } from "../../kv/graphs.ts";
import { readCircle } from "../../kv/members.ts";
import { newGraphId } from "../../protocol/ids.ts";
import { KvsFileError, type KvsRow, writeKvsFile } from "../../sqlite/kvs_file.ts";
import { backupGraph, EmptyGraphError } from "../../sync/backup.ts";
import { RowMissingError } from "../../sync/database.ts";
import { BrokenFileError, NoGraphKeyError, restoreGraph } from "../../sync/restore.ts";
import { sweepFlushes, sweepGarbage } from "../../sync/sweep.ts";
import { verifyGraph } from "../../sync/verify.ts";
import { datomsOf, openRows } from "../support/client.ts";
import { type FixtureRow, readCases, readRows } from "../support/fixtures.ts";
import { blockTx, txOf } from "../support/forms.ts";
import { after, EMPTY, TestGraph } from "../support/graph.ts";
import { longLeaves } from "../support/long_leaves.ts";
import { beforeFirstList, dump, keysOf, withCommit, withList } from "../support/kv.ts";
import { ALICE, BOB, headOf, Process, rowsOf } from "../support/process.ts";
import { Folder } from "../support/folder.ts";
import { userOf } from "../support/user.ts";

const META = { owner: ALICE, name: "notes" };
const NEW = { overwrite: false };
const NODE_ROWS = z.array(z.object({
  addr: z.number(),
  content: z.string(),
  addresses: z.string().nullable(),
}));

/** All rows of a file, as Logseq reads them. */
function rowsIn(path: string): readonly FixtureRow[] {
  using file = new DatabaseSync(path, { readOnly: true });
  return NODE_ROWS.parse(file.prepare("SELECT * FROM kvs ORDER BY addr").all())
    .map(({ addr, content, addresses }) => [addr, content, addresses]);
}

/** What a client that opens these rows has. */
function datomsIn(rows: readonly FixtureRow[]): readonly string[] {
  return datomsOf(
    openRows(new Map(rows.map(([addr, content, addresses]) => [addr, { content, addresses }]))),
  );
}

function deps(kv: Deno.Kv): { readonly kv: Deno.Kv; readonly now: () => number } {
  return { kv, now: () => 1000 };
}

Deno.test("Halves of a character that a row has as they are stay what they are in a file", async () => {
  await using folder = await Folder.make();
  const path = `${folder.path}/b.sqlite`;
  const content = '["\ud800","x\udc00\ud800y","\ud83c\udf89"]';
  const rows = async function* (): AsyncGenerator<KvsRow> {
    yield await Promise.resolve({ addr: 2, content, addresses: null });
  };
  await writeKvsFile(path, rows(), NEW);
  assert.deepEqual(rowsIn(path).map((row) => JSON.parse(row[1])), [JSON.parse(content)]);
});

for (const set of ["small-a", "variety-small", "variety-medium"]) {
  Deno.test(`A backup of ${set} restores as a graph of the same rows, which is sound`, async () => {
    await using folder = await Folder.make();
    const path = `${folder.path}/b.sqlite`;
    using kv = await Deno.openKv(":memory:");
    const graph = await new Process(kv).graphWith(readRows(set));
    const written = await backupGraph(kv, graph, path, NEW);
    const recorded = readRows(set);
    const copied = rowsIn(path);
    assert.equal(written?.rows, copied.length);
    const wanted = new Set(copied.map(([addr]) => addr));
    assert.deepEqual(copied, recorded.filter(([addr]) => wanted.has(addr)));
    if (set !== "variety-medium") assert.deepEqual(datomsIn(copied), datomsIn(recorded));
    assert.deepEqual(folder.names(), ["b.sqlite"]);

    const told: number[] = [];
    const restored = await restoreGraph(deps(kv), path, META, (done, total) => {
      assert.equal(total, copied.length);
      told.push(done);
    });
    assert.deepEqual(told, [...told.keys()]);
    assert.equal(told.at(-1), copied.length);
    assert.notEqual(restored.graph, graph);
    assert.deepEqual(await rowsOf(kv, restored.graph), copied);
    const verified = await verifyGraph(kv, restored.graph);
    assert.deepEqual(verified?.problems, []);
    assert.equal(verified.strayRows, 0);
    assert.equal((await headOf(kv, restored.graph)).t, 0);
    const circle = await readCircle(kv, restored.graph, [META.owner]);
    assert.equal(circle?.standings[0]?.role, "manager");
  });
}

Deno.test("An encrypted graph goes through a file with its key as each user has it, for one of these", async () => {
  await using folder = await Folder.make();
  using kv = await Deno.openKv(":memory:");
  const path = `${folder.path}/secret.sqlite`;
  const { name } = META;
  const server = new Process(kv);
  const graph = newGraphId();
  const keys = [{ user: ALICE, key: "for alice" }, { user: BOB, key: "for bob" }];
  const beside = keys.map((key) => graphKeySet(graph, key));
  await createGraph(kv, graph, { ...META, createdAt: 1000, e2ee: true }, { beside });
  await server.import(graph, readRows("small-a"), true);
  await backupGraph(kv, graph, path, NEW);
  using other = await Deno.openKv(":memory:");
  const bobs = await restoreGraph(deps(other), path, { owner: BOB, name });
  assert.equal(await readGraphKey(other, bobs.graph, BOB), "for bob");
  assert.equal(await readGraphKey(other, bobs.graph, ALICE), undefined);
  assert.equal((await readMeta(other, bobs.graph))?.e2ee, true);
  const before = await dump(other);
  await assert.rejects(
    restoreGraph(deps(other), path, { owner: userOf("mallory"), name }),
    (thrown) => thrown instanceof NoGraphKeyError && thrown.message.endsWith("for alice, bob"),
  );
  assert.deepEqual(await dump(other), before);
});

Deno.test("A file as Logseq wrote it, with rows of no use, opens as the same database", async () => {
  await using folder = await Folder.make();
  const path = `${folder.path}/db.sqlite`;
  {
    using file = new DatabaseSync(path);
    file.exec("PRAGMA journal_mode = WAL");
    file.exec(
      "create table if not exists kvs (addr INTEGER primary key, content TEXT, addresses JSON)",
    );
    const insert = file.prepare("INSERT INTO kvs VALUES (?, ?, ?)");
    file.exec("BEGIN");
    for (const row of readRows("small-a")) insert.run(...row);
    file.exec("COMMIT");
  }
  using kv = await Deno.openKv(":memory:");
  const { graph } = await restoreGraph(deps(kv), path, META);
  assert.deepEqual(datomsIn(await rowsOf(kv, graph)), datomsIn(readRows("small-a")));
});

Deno.test("A backup holds the tail: every batch accepted before it, and none after", async () => {
  await using folder = await Folder.make();
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const graph = await server.graphWith(readRows("small-a"));
  const cases = readCases("small-a").filter(({ response }) => response.type === "tx/batch/ok");
  for (const [t, { request }] of cases.entries()) await server.writeBatch(graph, t, request.txs);
  const expected = await server.datoms(graph);
  await backupGraph(kv, graph, `${folder.path}/b`, NEW);
  assert.deepEqual(datomsIn(rowsIn(`${folder.path}/b`)), expected);
  const restored = await restoreGraph(deps(kv), `${folder.path}/b`, META);
  assert.deepEqual(await server.datoms(restored.graph), expected);
});

Deno.test("Batches and flushes while rows are copied do not show: a backup is of one version", async () => {
  await using folder = await Folder.make();
  using store = await Deno.openKv(":memory:");
  let clock = 0;
  const now = (): number => clock;
  for (const sweeps of [false, true]) {
    const graph = await TestGraph.create(store, now);
    const models = [EMPTY];
    const write = async (): Promise<void> => {
      const t = models.length - 1;
      const forms = Array.from({ length: 30 }, (_, i) => [
        "^ ",
        "~:block/uuid",
        `~u00000000-0000-4000-8000-0000000000${10 + (i + t) % 40}`,
        "~:block/title",
        `${t} ${i}`,
      ]);
      assert.equal(await graph.batch(t, [txOf(...forms)]), t + 1);
      models.push(after(models[t] ?? EMPTY, [txOf(...forms)]));
    };
    for (let i = 0; i < 5; i++) await write();
    await graph.flush();
    await write();
    let lists = 0;
    // The rows are listed after root and tail were read.
    const kv = withList(
      store,
      async function* (list, selector): AsyncGenerator<Deno.KvEntry<unknown>> {
        const isRows = "prefix" in selector && selector.prefix[0] === "row";
        if (isRows && lists++ === 0) {
          await write();
          await graph.flush();
          await write();
          clock += 10;
          if (sweeps) await sweepFlushes(store, { now, graceMs: 1 });
        }
        yield* list();
      },
    );
    const path = `${folder.path}/${sweeps}`;
    const written = await backupGraph(kv, graph.graph, path, NEW);
    // Where the sweep took rows that it needed, it has begun again.
    assert.equal(written?.t, sweeps ? 8 : 6);
    assert.ok(lists >= (sweeps ? 2 : 1));
    assert.deepEqual(datomsIn(rowsIn(path)), datomsOf(models[written.t] ?? EMPTY));
  }
});

Deno.test("A backup that is cut off leaves no file, and one that is there as it was", async () => {
  await using folder = await Folder.make();
  using kv = await Deno.openKv(":memory:");
  const graph = await new Process(kv).graphWith(readRows("small-a"));
  const head = await headOf(kv, graph);
  const path = `${folder.path}/b`;
  await backupGraph(kv, graph, path, NEW);
  const whole = rowsIn(path);
  const gone = whole.at(-1)?.[0];
  assert.ok(gone !== undefined);
  await kv.delete(["row", graph, head.rows, gone, 0]);
  const overwrite = { overwrite: true };
  await assert.rejects(backupGraph(kv, graph, path, overwrite), RowMissingError);
  assert.deepEqual(rowsIn(path), whole);
  await assert.rejects(backupGraph(kv, graph, `${path}2`, NEW), RowMissingError);
  assert.deepEqual(folder.names(), ["b"]);
});

Deno.test("A file that is there is not replaced unless that is asked for", async () => {
  await using folder = await Folder.make();
  using kv = await Deno.openKv(":memory:");
  const graph = await new Process(kv).graphWith(readRows("small-a"));
  const path = `${folder.path}/b`;
  await Deno.writeTextFile(path, "mine");
  await assert.rejects(backupGraph(kv, graph, path, NEW), /is there already/);
  assert.equal(await Deno.readTextFile(path), "mine");
  await backupGraph(kv, graph, path, { overwrite: true });
  assert.ok(rowsIn(path).length > 0);
  await assert.rejects(backupGraph(kv, graph, `${folder.path}/no/b`, NEW), /there is no folder/);
  await assert.rejects(backupGraph(kv, graph, folder.path, NEW), /is a folder/);
});

Deno.test("There is no backup of a graph that nothing was put into, nor of none", async () => {
  await using folder = await Folder.make();
  using kv = await Deno.openKv(":memory:");
  const graph = await new Process(kv).createGraph();
  await assert.rejects(backupGraph(kv, graph, `${folder.path}/b`, NEW), EmptyGraphError);
  assert.equal(await backupGraph(kv, newGraphId(), `${folder.path}/b`, NEW), undefined);
  assert.deepEqual(folder.names(), []);
});

Deno.test("A graph whose first batch comes while its root is looked for is backed up with it", async () => {
  await using folder = await Folder.make();
  using store = await Deno.openKv(":memory:");
  const server = new Process(store);
  const graph = await server.createGraph();
  const path = `${folder.path}/b`;
  // The root has been looked for then, and rows are.
  const kv = beforeFirstList(
    store,
    () => server.write(graph, 0, blockTx(crypto.randomUUID(), "first")),
  );
  assert.equal((await backupGraph(kv, graph, path, NEW))?.t, 1);
  assert.deepEqual(datomsIn(rowsIn(path)), await server.datoms(graph));
});

Deno.test("A graph whose root is lost is damaged, though nothing of it were left but its log", async () => {
  await using folder = await Folder.make();
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const imported = await server.graphWith(readRows("small-a"));
  const written = await server.createGraph();
  await server.write(written, 0, blockTx(crypto.randomUUID(), "a"));
  const { rows } = await headOf(kv, imported);
  await kv.delete(["row", imported, rows, 0, 0]);
  for await (const { key } of kv.list({ prefix: ["row", written] })) await kv.delete(key);
  for (const graph of [imported, written]) {
    await assert.rejects(backupGraph(kv, graph, `${folder.path}/b`, NEW), RowMissingError);
  }
  assert.deepEqual(folder.names(), []);
});

const BROKEN: readonly (readonly [title: string, sql: string, said: RegExp])[] = [
  ["without its root", "DELETE FROM kvs WHERE addr = 0", /row 0 is missing/],
  ["without its table", "DROP TABLE kvs", /no such table: kvs/],
  [
    "without a node",
    "DELETE FROM kvs WHERE addr = (SELECT max(addr) FROM kvs)",
    /row \d+ is missing/,
  ],
  [
    "with a node that is no Transit",
    "UPDATE kvs SET content = '[' WHERE addr = (SELECT max(addr) FROM kvs)",
    /row \d+ can't be read/,
  ],
  ["with a tail that is none", "UPDATE kvs SET content = '[1]' WHERE addr = 1", /can't be read/],
  [
    "with a blob for a text",
    "UPDATE kvs SET content = x'00' WHERE addr = (SELECT max(addr) FROM kvs)",
    /Cannot read row \d+/,
  ],
  [
    "with one node in the place of another",
    "UPDATE kvs SET content = (SELECT content FROM kvs WHERE addresses IS NULL AND addr > 1 LIMIT 1) " +
    "WHERE addr = (SELECT max(addr) FROM kvs WHERE addresses IS NULL)",
    /does not follow|not the greatest/,
  ],
];

Deno.test("A damaged file is refused, in words, and changes nothing", async () => {
  await using folder = await Folder.make();
  using kv = await Deno.openKv(":memory:");
  const graph = await new Process(kv).graphWith(readRows("small-a"));
  const path = `${folder.path}/b`;
  const before = await keysOf(kv);
  for (const [title, sql, said] of BROKEN) {
    await backupGraph(kv, graph, path, { overwrite: true });
    {
      using file = new DatabaseSync(path);
      file.exec(sql);
    }
    await assert.rejects(restoreGraph(deps(kv), path, META), (thrown) => {
      assert.ok(thrown instanceof BrokenFileError || thrown instanceof KvsFileError, title);
      assert.match(thrown.message, said, title);
      return true;
    });
  }
  await Deno.writeTextFile(path, "no database at all ".repeat(100));
  await assert.rejects(restoreGraph(deps(kv), path, META), /not a database/);
  await assert.rejects(restoreGraph(deps(kv), `${path}2`, META), /unable to open/);
  assert.deepEqual(await keysOf(kv), before);
});

Deno.test("A restore whose rows are swept before any of its commits is made anew, and nothing stays of those", async () => {
  await using folder = await Folder.make();
  const path = `${folder.path}/b.sqlite`;
  using server = await Deno.openKv(":memory:");
  const graph = await new Process(server).graphWith(readRows("small-a"));
  await backupGraph(server, graph, path, NEW);
  const rows = rowsIn(path);
  for (let n = 0, commits = 1; n < commits; n++) {
    using kv = await Deno.openKv(":memory:");
    const racing = withCommit(kv, async (commit, before) => {
      commits = Math.max(commits, n === 0 ? before + 1 : 0);
      if (before === n) await sweepGarbage(kv, { now: () => Number.MAX_SAFE_INTEGER });
      return await commit();
    });
    const restored = await restoreGraph(deps(racing), path, META);
    assert.deepEqual(await rowsOf(kv, restored.graph), rows, `before commit ${n}`);
    const before = await keysOf(kv);
    assert.equal(await sweepGarbage(kv, { now: () => Number.MAX_SAFE_INTEGER }), 0);
    assert.deepEqual(await keysOf(kv), before, "nothing is marked");
  }
});

Deno.test("A restore that is cut off after any commit shows no graph, and a sweep leaves nothing of it", async () => {
  await using folder = await Folder.make();
  const path = `${folder.path}/b`;
  using setup = await Deno.openKv(":memory:");
  const graph = await new Process(setup).graphWith(readRows("small-a"));
  await backupGraph(setup, graph, path, NEW);
  for (let cut = 0;; cut++) {
    using kv = await Deno.openKv(":memory:");
    // As a kill does, it takes all commits away from there on.
    const broken = withCommit(kv, async (commit, before) => {
      if (before < cut) return await commit();
      throw new Error("The connection to the store broke");
    });
    const restored = await restoreGraph(deps(broken), path, META).catch(() => undefined);
    if (restored !== undefined) {
      assert.ok(cut >= 3);
      assert.deepEqual((await verifyGraph(kv, restored.graph))?.problems, []);
      break;
    }
    const kinds = new Set((await keysOf(kv)).map(([kind]) => kind));
    assert.deepEqual([...kinds].filter((kind) => kind !== "row" && kind !== "garbage"), []);
    await sweepGarbage(kv, { now: () => 1e9 });
    assert.deepEqual(await dump(kv), []);
  }
});

Deno.test("A database that another process has locked for moments is restored into all the same", async () => {
  await using folder = await Folder.make();
  const path = `${folder.path}/b`;
  using kv = await Deno.openKv(":memory:");
  const graph = await new Process(kv).graphWith(readRows("small-a"));
  await backupGraph(kv, graph, path, NEW);
  const busy = withCommit(kv, async (commit, before) => {
    if (before % 3 !== 2) throw new TypeError("database is locked");
    return await commit();
  });
  const restored = await restoreGraph(deps(busy), path, META);
  assert.deepEqual((await verifyGraph(kv, restored.graph))?.problems, []);
});

Deno.test("Others have their turn between rows of megabytes that are copied", async () => {
  await using folder = await Folder.make();
  using kv = await Deno.openKv(":memory:");
  const graph = await new Process(kv).graphWith(longLeaves(10, 1_100_000));
  const turnsAt: number[] = [];
  let turns = 0;
  const timer = setInterval(() => turns++);
  const progress = (): number => turnsAt.push(turns);
  await backupGraph(kv, graph, `${folder.path}/b.sqlite`, { ...NEW, progress });
  clearInterval(timer);
  assert.ok(new Set(turnsAt.slice(-9)).size >= 3, `${turnsAt}`);
});
