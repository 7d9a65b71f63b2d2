/** Several clients on one graph at once, and what each of them must be able to count on. */
import assert from "node:assert/strict";
import { decodeTail, withTailTx } from "../../datascript/root.ts";
import { rowsAnswerSchema } from "../../protocol/http.ts";
import { datomsOf, download, openRows, pull, upload } from "../support/client.ts";
import { readBatches, readRows } from "../support/fixtures.ts";
import { blockTx, txOf } from "../support/forms.ts";
import { startServer, type TestServer } from "../support/server.ts";
import type { TestSocket } from "../support/socket.ts";

Deno.test("Of 200 batches on one version that come at once exactly one is accepted", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  await upload(server, graph, readRows("small-a"));
  const answers = await Promise.all(Array.from({ length: 200 }, async (_, i) => {
    const json = { t_before: 0, txs: [blockTx(crypto.randomUUID(), `${i}`)] };
    return (await server.call(`/sync/${graph}/tx/batch`, { json })).body;
  }));
  const accepted = answers.filter((answer) => isOk(answer));
  assert.deepEqual(accepted, [{ type: "tx/batch/ok", t: 1 }]);
  const stale = { type: "tx/reject", reason: "stale", t: 1 };
  assert.deepEqual(answers.filter((answer) => !isOk(answer)), Array(199).fill(stale));
  assert.equal((await pull(server, graph)).txs.length, 1);
});

Deno.test("Two clients write, and whatever a third one downloads meanwhile is the database at its version", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  const base = new Map(
    readRows("small-a").map(([addr, content, addresses]) => [
      addr,
      { addr, content, addresses },
    ]),
  );
  await upload(server, graph, readRows("small-a"));
  const done = new AbortController();
  const writers = ["a", "b"].map((name) => writeUntil(server, graph, name, done.signal));

  const downloads = [];
  for (const limit of [2000, 100, 37, 300, 2000, 50]) {
    downloads.push(await download(server, graph, limit));
  }
  done.abort();
  const written = (await Promise.all(writers)).flat();

  const log = await pull(server, graph);
  assert.equal(log.t, written.length);
  assert.deepEqual(written.toSorted((x, y) => x - y), log.txs.map((entry) => entry.t));
  const rows = await rowsNow(server, graph);
  const txs = decodeTail(rows.get(1)?.content ?? "[]");
  assert.equal(txs.length, log.t);
  for (const { t, db } of downloads) {
    const expected = txs.slice(0, t).reduce(withTailTx, openRows(base));
    assert.deepEqual(datomsOf(db), datomsOf(expected), `a download at t ${t}`);
  }
  assert.ok(new Set(downloads.map(({ t }) => t)).size > 1, "batches landed between the downloads");
});

Deno.test("A batch that lands between pull and page is not in the page", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  await upload(server, graph, readRows("small-a"));
  let t = 0;
  const { t: told, db } = await download(server, graph, 200, async () => {
    const json = { t_before: t, txs: [blockTx(crypto.randomUUID(), "late")] };
    assert.deepEqual((await server.call(`/sync/${graph}/tx/batch`, { json })).body, {
      type: "tx/batch/ok",
      t: ++t,
    });
  });
  assert.equal(told, t - 1);
  assert.equal(db.everything("eavt").filter((datom) => datom.v === "late").length, told);
});

Deno.test("A graph that is made of batches alone can be downloaded", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  const page = crypto.randomUUID();
  const batches = [
    [txOf(
      ["~:db/add", -1, "~:block/uuid", `~u${page}`],
      ["~:db/add", -1, "~:block/name", "page"],
    )],
    [txOf(
      ["~:db/add", -1, "~:block/uuid", `~u${crypto.randomUUID()}`],
      ["~:db/add", -1, "~:block/parent", ["~:block/uuid", `~u${page}`]],
      ["~:db/add", -1, "~:block/order", "a0"],
    )],
  ];
  for (const [t_before, txs] of batches.entries()) {
    const { body } = await server.call(`/sync/${graph}/tx/batch`, { json: { t_before, txs } });
    assert.deepEqual(body, { type: "tx/batch/ok", t: t_before + 1 });
  }
  const { t, db } = await download(server, graph);
  assert.equal(t, 2);
  assert.deepEqual(
    db.everything("eavt").map(({ e, a }) => [e, a]),
    [[1, "block/name"], [1, "block/uuid"], [2, "block/order"], [2, "block/parent"], [
      2,
      "block/uuid",
    ]],
  );
  assert.deepEqual(db.entitiesWith("block/parent", 1), [2]);
});

Deno.test("A batch of several megabytes is taken, pulled and downloaded whole, and nothing of it is left", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  const uuid = crypto.randomUUID();
  // Random text, so that it stays larger than a commit of the store.
  const title = Array.from({ length: 60_000 }, () => crypto.randomUUID()).join(" ");
  const json = { t_before: 0, txs: [blockTx(uuid, title)] };
  const { body } = await server.call(`/sync/${graph}/tx/batch`, { json });
  assert.deepEqual(body, { type: "tx/batch/ok", t: 1 });
  assert.ok((await pull(server, graph)).txs[0]?.tx.includes(title));
  const { db } = await download(server, graph);
  assert.deepEqual(db.value(1, "block/title"), title);
  await server.call(`/graphs/${graph}`, { method: "DELETE" });
  const left = await Array.fromAsync(server.kv.list({ prefix: [] }), (entry) => entry.key);
  // What is known of the users is nobody's graph; by the creation their graphs are counted.
  assert.deepEqual(
    left.filter(([name]) => name !== "user" && name !== "email"),
    [["creation", "alice"]],
  );
});

Deno.test("What a client sends again after a lost answer changes nothing but the version", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  await upload(server, graph, readRows("variety-small"));
  const [first] = readBatches("ops-small");
  assert.ok(first !== undefined);
  await using socket = await server.connect(graph);
  const { txs } = first;
  assert.deepEqual(await socket.ask({ type: "tx/batch", t_before: 0, txs }), {
    type: "tx/batch/ok",
    t: 1,
  });
  const facts = async (): Promise<readonly unknown[]> =>
    (await download(server, graph)).db.everything("eavt").map(({ e, a, v }) => [e, a, v]);
  const before = await facts();
  assert.deepEqual(await socket.ask({ type: "tx/batch", t_before: 1, txs }), {
    type: "tx/batch/ok",
    t: 2,
  });
  assert.deepEqual(await facts(), before);
});

/** Writes batches, each on the version that the last one left, until the signal; answers the ts of its own. */
async function writeUntil(
  server: TestServer,
  graph: string,
  name: string,
  signal: AbortSignal,
): Promise<readonly number[]> {
  await using socket = await server.connect(graph);
  const own: number[] = [];
  let t = 0;
  for (let i = 0; !signal.aborted || own.length < 3; i++) {
    const answer = await answerTo(socket, {
      type: "tx/batch",
      t_before: t,
      txs: [blockTx(crypto.randomUUID(), `${name} ${i}`)],
    });
    assert.ok("t" in answer, JSON.stringify(answer));
    t = answer.t;
    if (answer.type === "tx/batch/ok") own.push(t);
  }
  return own;
}

/** The answer, past the news of the other's batches. */
async function answerTo(
  socket: TestSocket,
  message: unknown,
): Promise<Awaited<ReturnType<TestSocket["next"]>>> {
  socket.send(message);
  for (;;) {
    const answer = await socket.next();
    if (answer.type !== "changed") return answer;
  }
}

async function rowsNow(
  server: TestServer,
  graph: string,
): Promise<ReadonlyMap<number, { readonly content: string }>> {
  const { body } = await server.call(`/sync/${graph}/snapshot/rows?limit=2`);
  return new Map(rowsAnswerSchema.parse(body).rows.map((row) => [row.addr, row]));
}

function isOk(answer: unknown): boolean {
  return JSON.stringify(answer).includes("tx/batch/ok");
}
