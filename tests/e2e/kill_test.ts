/** The real program is killed (SIGKILL) at work, and started again on the same file. */
import assert from "node:assert/strict";
import type { Db } from "../../datascript/db.ts";
import { Uuid } from "../../datascript/value.ts";
import { summedEntities, sumOf } from "../../logseq/checksum.ts";
import { encodeSum } from "../../logseq/digest.ts";
import { importAnswerSchema, rowsAnswerSchema } from "../../protocol/http.ts";
import { type PullOk, pullOkSchema } from "../../protocol/server_message.ts";
import { createGraphAnswerSchema } from "../../protocol/today/http.ts";
import { type ClientRow, datomsOf, openRows } from "../support/client.ts";
import { type FixtureRow, readRows } from "../support/fixtures.ts";
import { txOf } from "../support/forms.ts";
import { seededRandom } from "../support/seeded_random.ts";
import { Served } from "../support/served.ts";
import { TestSocket } from "../support/socket.ts";
import {
  entry,
  newBlock,
  parseTodaysMessage,
  type TodaysMessage,
  type WireEntry,
} from "../support/today.ts";

const ROUNDS = 3;

async function importInto(
  served: Served,
  graph: string,
  rows: readonly FixtureRow[],
): Promise<void> {
  const body = await served.call(`/sync/${graph}/snapshot/import`, { reset: true, rows });
  assert.equal(importAnswerSchema.parse(body).count, rows.length);
}

function connectAsToday(served: Served, graph: string): Promise<TestSocket<TodaysMessage>> {
  return TestSocket.openAs(served.socketUrl(graph), parseTodaysMessage);
}

async function pullOf(served: Served, graph: string): Promise<PullOk> {
  return pullOkSchema.parse(await served.call(`/sync/${graph}/pull`));
}

async function rowsOf(served: Served, graph: string): Promise<ReadonlyMap<number, ClientRow>> {
  const rows = new Map<number, ClientRow>();
  for (let after = -1;;) {
    // As of what was pulled last.
    await served.call(`/sync/${graph}/pull`);
    const path = `/sync/${graph}/snapshot/rows?after=${after}&limit=2000`;
    const page = rowsAnswerSchema.parse(await served.call(path));
    for (const row of page.rows) rows.set(row.addr, row);
    if (page.done) return rows;
    after = page.last_addr;
  }
}

async function withFile(work: (kvPath: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "kill_test" });
  try {
    await work(`${folder}/kv.sqlite3`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The n-th batch: a block of its own, and a title of one for all, in two txs. */
const SHARED = "6f1e2d3c-0000-4000-8000-000000000005";
function batchOf(n: number): readonly string[] {
  return [
    txOf(
      ["~:db/add", -1, "~:block/uuid", `~u${uuidOf(n)}`],
      ["~:db/add", -1, "~:block/title", `batch ${n}`],
    ),
    txOf(["^ ", "~:block/uuid", `~u${SHARED}`, "~:block/title", `shared ${n}`]),
  ];
}

function uuidOf(n: number): string {
  return `6f1e2d3c-0000-4000-9000-${String(n).padStart(12, "0")}`;
}

/** Does it again and again until its socket closes, as the server is gone. */
async function untilClosed(work: () => Promise<void>): Promise<void> {
  try {
    for (;;) await work();
  } catch (thrown) {
    if (!(thrown instanceof Error) || !thrown.message.includes("the socket closed")) throw thrown;
  }
}

/** The titles that begin so. */
function titlesOf(db: Db, start: string): readonly string[] {
  return db.everything("eavt")
    .filter((datom) => datom.a === "block/title")
    .map((datom) => String(datom.v))
    .filter((title) => title.startsWith(start));
}

Deno.test("Killed while a client writes, the program has every batch that it acknowledged, once and whole", async () => {
  const seed = Date.now() % 1_000_000;
  const below = seededRandom(seed);
  const rows = readRows("small-a");
  const base = openRows(
    new Map(rows.map(([addr, content, addresses]) => [addr, { content, addresses }])),
  );
  const baseDatoms = datomsOf(base);
  await withFile(async (kvPath) => {
    let served = await Served.start({ KV_PATH: kvPath });
    try {
      const graph = await served.createGraph();
      await importInto(served, graph, rows);
      for (let round = 0, t = 0; round < ROUNDS; round++) {
        const at = `seed ${seed}, round ${round}`;
        const killAt = t + 1 + below(80);
        {
          await using socket = await served.connect(graph);
          let killed: Promise<void> | undefined;
          await untilClosed(async () => {
            const answer = await socket.ask({ type: "tx/batch", t_before: t, txs: batchOf(t + 1) });
            assert.deepEqual(answer, { type: "tx/batch/ok", t: t + 1 });
            t++;
            // Not awaited: the next batch is on its way when the signal comes.
            if (t === killAt) killed = served.kill();
          });
          await killed;
          assert.ok(t >= killAt, at);
        }

        served = await Served.start({ KV_PATH: kvPath });
        const log = await pullOf(served, graph);
        // The batch in flight may have been stored, or not.
        assert.ok(log.t === t || log.t === t + 1, `${at}: ${t} acked, t is ${log.t}`);
        t = log.t;
        const versions = Array.from({ length: t }, (_, i) => i + 1);
        assert.deepEqual(log.txs.map((entry) => entry.t), versions, at);
        for (const entry of log.txs) {
          for (const part of [uuidOf(entry.t), `batch ${entry.t}"`, `shared ${entry.t}"`]) {
            assert.equal(entry.tx.split(part).length, 2, `${at}: entry ${entry.t}: ${entry.tx}`);
          }
        }
        // The downloaded tail says what the log says, and nothing else than before is gone.
        const db = openRows(await rowsOf(served, graph));
        assert.deepEqual(titlesOf(db, "batch "), versions.map((n) => `batch ${n}`), at);
        const datoms = datomsOf(db);
        const held = new Set(datoms);
        assert.ok(baseDatoms.every((datom) => held.has(datom)), at);
        // Two of each block, and two of the shared one.
        assert.equal(datoms.length, baseDatoms.length + 2 * t + 2, at);
        assert.equal(db.maxTx, base.maxTx + t, at);
        const [shared] = db.entitiesWith("block/uuid", new Uuid(SHARED));
        assert.ok(shared !== undefined, at);
        assert.equal(db.value(shared, "block/title"), `shared ${t}`, at);
      }
      // And the next batch is accepted.
      const { t } = await pullOf(served, graph);
      await using socket = await served.connect(graph);
      const answer = await socket.ask({ type: "tx/batch", t_before: t, txs: batchOf(t + 1) });
      assert.deepEqual(answer, { type: "tx/batch/ok", t: t + 1 });
    } finally {
      await served[Symbol.asyncDispose]();
    }
  });
});

/** Three entries, each a block of its own. */
function entriesOf(n: number): readonly WireEntry[] {
  return [0, 1, 2].map((i) => {
    const uuid = uuidOf(3 * n + i);
    return entry("insert-blocks", ...newBlock(uuid, `entry ${3 * n + i}`));
  });
}

Deno.test("Killed while a client of today writes and sends again, the program has each entry once, and their checksum", async () => {
  const seed = Date.now() % 1_000_000;
  const below = seededRandom(seed);
  await withFile(async (kvPath) => {
    let served = await Served.start({ KV_PATH: kvPath });
    try {
      const made = await served.call("/graphs", { "graph-name": "notes", "graph-e2ee?": false });
      const graph = createGraphAnswerSchema.parse(made)["graph-id"];
      for (let round = 0, batches = 0, t = 0; round < ROUNDS; round++) {
        const at = `seed ${seed}, round ${round}`;
        const killAt = batches + 1 + below(40);
        let pending = entriesOf(batches);
        {
          await using socket = await connectAsToday(served, graph);
          let killed: Promise<void> | undefined;
          await untilClosed(async () => {
            const batch = { "type": "tx/batch", "t-before": t, "txs": pending };
            const answer = await socket.ask(batch);
            assert.ok(answer.type === "tx/batch/ok" && answer.t === t + 3, at);
            t = answer.t;
            pending = entriesOf(++batches);
            if (batches === killAt) killed = served.kill();
          });
          await killed;
          assert.ok(batches >= killAt, at);
        }

        served = await Served.start({ KV_PATH: kvPath });
        await using socket = await connectAsToday(served, graph);
        const pulled = await socket.ask({ type: "pull", since: 0 });
        assert.ok(pulled.type === "pull/ok", at);
        // The batch in flight may have been stored, or not; not a part of it.
        assert.ok(pulled.t === t || pulled.t === t + 3, `${at}: ${t} acked, t is ${pulled.t}`);
        const again = { "type": "tx/batch", "t-before": pulled.t, "txs": pending };
        const answer = await socket.ask(again);
        assert.ok(answer.type === "tx/batch/ok" && answer.t === t + 3, at);
        t = answer.t;
        batches++;

        const log = await socket.ask({ type: "pull", since: 0 });
        assert.ok(log.type === "pull/ok", at);
        const db = openRows(await rowsOf(served, graph));
        const titles = Array.from({ length: 3 * batches }, (_, i) => `entry ${i}`);
        assert.deepEqual(titlesOf(db, "entry "), titles, at);
        for (const [i, { tx }] of log.txs.entries()) assert.ok(tx.includes(`entry ${i}"`), at);
        assert.equal(log.txs.length, titles.length, at);
        assert.equal(log.checksum, encodeSum(sumOf(summedEntities(db, 0, Infinity))), at);
      }
    } finally {
      await served[Symbol.asyncDispose]();
    }
  });
});

Deno.test("Killed in the middle of a reset import, the program has the old graph or the new one, whole", async () => {
  const medium = readRows("medium-a");
  await withFile(async (kvPath) => {
    let served = await Served.start({ KV_PATH: kvPath });
    try {
      const graph = await served.createGraph();
      await importInto(served, graph, readRows("small-a"));
      for (const pongs of [8, 30]) {
        {
          const { t } = await pullOf(served, graph);
          await using socket = await served.connect(graph);
          const answer = await socket.ask({ type: "tx/batch", t_before: t, txs: batchOf(t + 1) });
          assert.deepEqual(answer, { type: "tx/batch/ok", t: t + 1 });
        }
        const before = { log: await pullOf(served, graph), rows: await rowsOf(served, graph) };
        await using socket = await served.connect(graph);
        const importing = importInto(served, graph, medium).then(() => "done", () => "cut off");
        // While rows are written pongs come between the commits; the first ones before the body.
        for (let i = 0; i < pongs; i++) await socket.untilPong();
        await served.kill();
        const told = await importing;

        served = await Served.start({ KV_PATH: kvPath });
        const now = { log: await pullOf(served, graph), rows: await rowsOf(served, graph) };
        const rows = [...now.rows].map((
          [addr, row],
        ): FixtureRow => [addr, row.content, row.addresses]);
        const isNew = JSON.stringify(rows.toSorted((x, y) =>
          x[0] - y[0]
        )) === JSON.stringify(medium);
        if (!isNew) {
          assert.equal(told, "cut off");
          assert.deepEqual(now, before);
        } else assert.deepEqual(now.log, { type: "pull/ok", t: 0, txs: [] });
      }
      // Nothing is in the way of doing it again.
      await importInto(served, graph, medium);
      assert.equal((await rowsOf(served, graph)).size, medium.length);
      assert.deepEqual(await pullOf(served, graph), { type: "pull/ok", t: 0, txs: [] });
    } finally {
      await served[Symbol.asyncDispose]();
    }
  });
});
