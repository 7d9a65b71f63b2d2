import assert from "node:assert/strict";
import { openBlobStores } from "../../assets/open.ts";
import { rowsAnswerSchema } from "../../protocol/http.ts";
import type { GraphId } from "../../protocol/ids.ts";
import { pullOkSchema } from "../../protocol/server_message.ts";
import { openGraphs } from "../../sync/graphs.ts";
import { blockTx } from "../support/forms.ts";
import { readRows } from "../support/fixtures.ts";
import { keysOf, withMethods } from "../support/kv.ts";
import { type RequestOptions, startServer, type TestServer } from "../support/server.ts";
import { Folder } from "../support/folder.ts";

type PullOk = ReturnType<typeof pullOkSchema.parse>;

async function pull(server: TestServer, graph: string, query = ""): Promise<PullOk> {
  const { status, body } = await server.call(`/sync/${graph}/pull${query}`);
  assert.equal(status, 200);
  return pullOkSchema.parse(body);
}

async function batch(server: TestServer, graph: string, json: unknown): Promise<unknown> {
  const { status, body } = await server.call(`/sync/${graph}/tx/batch`, { json });
  return status === 200 ? body : [status, body];
}

const block = (title: string): string => blockTx(crypto.randomUUID(), title);

Deno.test("GET /sync/:graph-id/health is ok", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  assert.deepEqual(await server.call(`/sync/${graph}/health`), { status: 200, body: { ok: true } });
});

Deno.test("A pull of a new graph has t 0 and no transactions", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  assert.deepEqual(await pull(server, graph), { type: "pull/ok", t: 0, txs: [] });
});

Deno.test("A pull has every entry after since, ascending, and t comes before them", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  for (let t = 0; t < 3; t++) {
    const ok = { type: "tx/batch/ok", t: t + 1 };
    assert.deepEqual(await batch(server, graph, { t_before: t, txs: [block(`${t}`)] }), ok);
  }
  const whole = await pull(server, graph);
  assert.equal(whole.t, 3);
  assert.deepEqual(whole.txs.map((entry) => entry.t), [1, 2, 3]);
  assert.deepEqual(await pull(server, graph, "?since=0"), whole);
  assert.deepEqual(await pull(server, graph, "?since=2"), { ...whole, txs: whole.txs.slice(2) });
  assert.deepEqual(await pull(server, graph, "?since=3"), { ...whole, txs: [] });
  assert.deepEqual(await pull(server, graph, "?since=9"), { ...whole, txs: [] });
  const text = await (await server.fetch(`/sync/${graph}/pull`)).text();
  assert.equal(text, JSON.stringify(whole));
});

Deno.test("A since that is no non-negative integer is 400 invalid since", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  for (const since of ["", "x", "-1", "1.5", "1e3", "12abc", "9007199254740992"]) {
    assert.deepEqual(await server.call(`/sync/${graph}/pull?since=${since}`), {
      status: 400,
      body: { error: "invalid since" },
    });
  }
});

Deno.test("A batch that can't be read is 400, and its t_before is rejected with 200", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  const post = (body?: string): Promise<unknown> =>
    server.call(`/sync/${graph}/tx/batch`, {
      method: "POST",
      ...body !== undefined && { body },
    });
  assert.deepEqual(await post(), { status: 400, body: { error: "missing body" } });
  for (
    const body of [
      "{",
      "1",
      "null",
      "[]",
      "{}",
      '{"t_before":0}',
      '{"t_before":0,"txs":"[]"}',
      '{"t_before":0,"txs":[1]}',
      '{"t_before":-1,"txs":{}}',
    ]
  ) {
    assert.deepEqual(await post(body), { status: 400, body: { error: "invalid tx" } }, body);
  }
  for (const tBefore of ["-1", "1.5", "null", '"0"']) {
    assert.deepEqual(await post(`{"t_before":${tBefore},"txs":["[]"]}`), {
      status: 200,
      body: { type: "tx/reject", reason: "invalid t_before" },
    });
  }
  assert.deepEqual(await post('{"txs":[]}'), {
    status: 200,
    body: { type: "tx/reject", reason: "invalid t_before" },
  });
  assert.equal((await pull(server, graph)).t, 0);
});

Deno.test("A rejected batch is 200 with its reason, and changes nothing", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  await batch(server, graph, { t_before: 0, txs: [block("a")] });
  const before = await pull(server, graph);
  const stale = { type: "tx/reject", reason: "stale", t: 1 };
  assert.deepEqual(await batch(server, graph, { t_before: 0, txs: [block("b")] }), stale);
  assert.deepEqual(await batch(server, graph, { t_before: 2, txs: ["not transit"] }), stale);
  const invalid = { type: "tx/reject", reason: "invalid tx" };
  assert.deepEqual(await batch(server, graph, { t_before: 1, txs: ["not transit"] }), invalid);
  const empty = { type: "tx/reject", reason: "empty tx data" };
  assert.deepEqual(await batch(server, graph, { t_before: 1, txs: [] }), empty);
  assert.deepEqual(await pull(server, graph), before);
});

Deno.test("Of batches on one version that come at once one is taken, the others are stale", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  const answers = await Promise.all(
    Array.from(
      { length: 8 },
      (_, i) => batch(server, graph, { t_before: 0, txs: [block(`${i}`)] }),
    ),
  );
  const ok = answers.filter((answer) => JSON.stringify(answer) === '{"type":"tx/batch/ok","t":1}');
  const stale = { type: "tx/reject", reason: "stale", t: 1 };
  assert.equal(ok.length, 1);
  assert.deepEqual(answers.filter((answer) => !ok.includes(answer)), Array(7).fill(stale));
  assert.equal((await pull(server, graph)).txs.length, 1);
});

Deno.test("Rows come back as they were imported, page by page", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  const rows: [number, string, string | null][] = Array.from({ length: 5 }, (_, i) => [
    1_000_001 + i,
    `content ${i} "ü\n`,
    i % 2 === 0 ? null : `[${i}, 7]`,
  ]);
  const imported = await server.call(`/sync/${graph}/snapshot/import`, {
    json: { reset: true, rows: [...rows.slice(0, 3), [1_000_004, rows[3]?.[1], rows[3]?.[2]]] },
  });
  assert.deepEqual(imported, { status: 200, body: { ok: true, count: 4 } });
  const last = await server.call(`/sync/${graph}/snapshot/import`, {
    json: { rows: rows.slice(4) },
  });
  assert.deepEqual(last, { status: 200, body: { ok: true, count: 1 } });
  const end = await server.call(`/sync/${graph}/snapshot/import`, {
    json: { reset: false, rows: [] },
  });
  assert.deepEqual(end, { status: 200, body: { ok: true, count: 0 } });

  const expected = rows.map(([addr, content, addresses]) => ({ addr, content, addresses }));
  const page = async (query: string): Promise<unknown> => {
    const { status, body } = await server.call(`/sync/${graph}/snapshot/rows${query}`);
    assert.equal(status, 200);
    rowsAnswerSchema.parse(body);
    return body;
  };
  assert.deepEqual(await page(""), { rows: expected, last_addr: 1_000_005, done: true });
  assert.deepEqual(await page("?limit=2"), {
    rows: expected.slice(0, 2),
    last_addr: 1_000_002,
    done: false,
  });
  assert.deepEqual(await page("?after=1000002&limit=2"), {
    rows: expected.slice(2, 4),
    last_addr: 1_000_004,
    done: false,
  });
  assert.deepEqual(await page("?after=1000004&limit=2"), {
    rows: expected.slice(4),
    last_addr: 1_000_005,
    done: true,
  });
  assert.deepEqual(await page("?after=1000005"), { rows: [], last_addr: 1_000_005, done: true });
});

Deno.test("A row without addresses is a row whose addresses are null", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  await server.call(`/sync/${graph}/snapshot/import`, { json: { rows: [[1_000_001, "x"]] } });
  const { body } = await server.call(`/sync/${graph}/snapshot/rows`);
  assert.deepEqual(body, {
    rows: [{ addr: 1_000_001, content: "x", addresses: null }],
    last_addr: 1_000_001,
    done: true,
  });
});

Deno.test("A new graph has no rows", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  const nothing = { status: 200, body: { rows: [], last_addr: -1, done: true } };
  assert.deepEqual(await server.call(`/sync/${graph}/snapshot/rows`), nothing);
});

Deno.test("Rows that can't be read are 400, and nothing is imported", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  const post = (body?: string): Promise<unknown> =>
    server.call(`/sync/${graph}/snapshot/import`, {
      method: "POST",
      ...body !== undefined && { body },
    });
  assert.deepEqual(await post(), { status: 400, body: { error: "missing body" } });
  for (
    const body of [
      "[",
      "{}",
      '{"rows":1}',
      '{"rows":[[2,"a",null],[-1,"b",null]]}',
      '{"rows":[[2,"a",[3]]]}',
      '{"reset":1,"rows":[]}',
    ]
  ) {
    assert.deepEqual(await post(body), { status: 400, body: { error: "invalid body" } }, body);
  }
  const { body } = await server.call(`/sync/${graph}/snapshot/rows`);
  assert.deepEqual(body, { rows: [], last_addr: -1, done: true });
});

Deno.test("A reset empties log and rows and sets t to 0; the graph stays", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  await batch(server, graph, { t_before: 0, txs: [block("a")] });
  assert.deepEqual(await server.call(`/sync/${graph}/admin/reset`, { method: "DELETE" }), {
    status: 200,
    body: { ok: true },
  });
  assert.deepEqual(await pull(server, graph), { type: "pull/ok", t: 0, txs: [] });
  const { body } = await server.call(`/sync/${graph}/snapshot/rows`);
  assert.deepEqual(body, { rows: [], last_addr: -1, done: true });
  const ok = { type: "tx/batch/ok", t: 1 };
  assert.deepEqual(await batch(server, graph, { t_before: 0, txs: [block("b")] }), ok);
});

Deno.test("All that was acknowledged is there after a restart", async () => {
  await using own = await Folder.make();
  const folder = own.path;
  const kvPath = `${folder}/kv.sqlite3`;
  let graph: string;
  let before: PullOk;
  {
    await using server = await startServer({ kvPath });
    graph = await server.createGraph();
    await batch(server, graph, { t_before: 0, txs: [block("a")] });
    await batch(server, graph, { t_before: 1, txs: [block("b")] });
    before = await pull(server, graph);
  }
  await using server = await startServer({ kvPath });
  assert.deepEqual(await pull(server, graph), before);
  const ok = { type: "tx/batch/ok", t: 3 };
  assert.deepEqual(await batch(server, graph, { t_before: 2, txs: [block("c")] }), ok);
});

Deno.test("A page is 409 graph not ready while an import goes on, and graph replaced where a reset cuts a download off", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  const path = `/sync/${graph}/snapshot/rows?limit=100`;
  const refused = (error: string): unknown => ({ status: 409, body: { error } });
  const send = async (json: unknown): Promise<void> => {
    const { status } = await server.call(`/sync/${graph}/snapshot/import`, { json });
    assert.equal(status, 200);
  };
  await send({ reset: true, rows: readRows("medium-a").slice(0, 2000) });
  assert.deepEqual(await server.call(path), refused("graph not ready"));
  await send({ rows: [] });
  const { last_addr, done } = rowsAnswerSchema.parse((await server.call(path)).body);
  assert.ok(!done);
  await server.call(`/sync/${graph}/admin/reset`, { method: "DELETE" });
  assert.deepEqual(await server.call(`${path}&after=${last_addr}`), refused("graph replaced"));
});

const entry = { "tx": block("entry"), "outliner-op": "save-block" };
const calls: Readonly<Record<string, RequestOptions>> = {
  "pull": {},
  "pull?since=0": {},
  "tx/batch": { json: { t_before: 0, txs: [block("seed's")] } },
  "tx/batch of entries": { json: { "t-before": 0, "txs": [entry] } },
  "checksum/diagnostics": {},
  "snapshot/rows": {},
  "snapshot/import": { json: { rows: [[5, "x", null]] } },
  "snapshot/import with reset": { json: { reset: true, rows: [[5, "x", null]] } },
  "admin/reset": { method: "DELETE" },
};
Deno.test("Whatever is asked of a graph that is removed just then is 404, and nothing is left of it", async () => {
  using store = await Deno.openKv(":memory:");
  const graphs = openGraphs({ kv: store, stores: openBlobStores(store), now: Date.now });
  let removed: GraphId | undefined;
  /** After the look at who may, and at whether the graph is ready. */
  const kv = withMethods(store, {
    get: async (key: Deno.KvKey): Promise<Deno.KvEntryMaybe<unknown>> => {
      if (key[0] === "head" && key[1] === removed && removed !== undefined) {
        await graphs.remove(removed);
        removed = undefined;
      }
      return await store.get(key);
    },
  });
  await using server = await startServer({ kv });
  for (const [call, options] of Object.entries(calls)) {
    const graph = await server.createGraph();
    removed = graph;
    assert.deepEqual(
      await server.call(`/sync/${graph}/${call.split(" ")[0]}`, options),
      { status: 404, body: { error: "not found" } },
      call,
    );
    assert.equal(removed, undefined, call);
    const left = (await keysOf(store)).filter((key) => key.includes(graph));
    assert.deepEqual(left, [], call);
  }
});
