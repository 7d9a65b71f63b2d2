import assert from "node:assert/strict";
import { z } from "zod";
import { newGraphId } from "../../protocol/ids.ts";
import { downloadAnswerSchema } from "../../protocol/today/snapshot.ts";
import { differencesOfMeaning } from "../support/blocks.ts";
import { datomsOf, openRows } from "../support/client.ts";
import { type FixtureRow, readRows } from "../support/fixtures.ts";
import { blockTx } from "../support/forms.ts";
import { after } from "../support/graph.ts";
import { startServer, type TestServer } from "../support/server.ts";
import {
  createUnready,
  downloadFrames,
  frameOf,
  gzipped,
  pullToday,
  rowsIn,
  sendFrame,
  uploadFrames,
} from "../support/snapshots.ts";
import { parseTodaysMessage } from "../support/today.ts";
import { UpgradeRefused } from "../support/socket.ts";

const SMALL = readRows("small-a");
const OTHER = readRows("variety-small");

const NOT_READY = { status: 409, body: { error: "graph not ready" } };

async function write(server: TestServer, graph: string, t: number): Promise<void> {
  const json = { t_before: t, txs: [blockTx(crypto.randomUUID(), `block ${t}`)] };
  const { body } = await server.call(`/sync/${graph}/tx/batch`, { json });
  assert.deepEqual(body, { type: "tx/batch/ok", t: t + 1 });
}

function byAddr(rows: readonly FixtureRow[]): Parameters<typeof openRows>[0] {
  return new Map(rows.map(([addr, content, addresses]) => [addr, { addr, content, addresses }]));
}

for (const set of ["small-a", "medium-a", "variety-small", "variety-medium"]) {
  Deno.test(`What is uploaded of ${set} is what is downloaded, text by text`, async () => {
    await using server = await startServer();
    const graph = await createUnready(server);
    const rows = readRows(set);
    await uploadFrames(server, graph, rows);
    assert.deepEqual(await downloadFrames(server, graph), { t: 0, rows, count: rows.length });
  });
}

Deno.test("A stream is gzipped for who accepts gzip, and for nobody else", async () => {
  await using server = await startServer();
  const graph = await createUnready(server);
  await uploadFrames(server, graph, OTHER);
  const cases: [string, boolean][] = [
    ["gzip", true],
    ["gzip, deflate, br", true],
    ["br;q=1, gzip;q=0.5", true],
    ["*", true],
    ["identity", false],
    ["deflate", false],
    ["gzip;q=0, *", false],
  ];
  for (const [accepted, gzip] of cases) {
    const headers = { "accept-encoding": accepted };
    const { body } = await server.call(`/sync/${graph}/snapshot/download`, { headers });
    const told = downloadAnswerSchema.parse(body)["content-encoding"];
    assert.equal(told, gzip ? "gzip" : undefined, accepted);
    const response = await server.fetch(`/sync/${graph}/snapshot/stream`, { headers });
    assert.equal(response.headers.get("vary"), "accept-encoding");
    assert.deepEqual(await rowsIn(response), { rows: OTHER, count: OTHER.length });
  }
  // fetch gunzips behind our back, and takes the header away.
  const raw = await Deno.connect({ port: Number(new URL(server.url).port) });
  const request = [
    `GET /sync/${graph}/snapshot/stream HTTP/1.0`,
    `authorization: Bearer ${await server.token()}`,
    "accept-encoding: gzip",
    "\r\n",
  ];
  await raw.write(new TextEncoder().encode(request.join("\r\n")));
  const answer = new Uint8Array(await new Response(raw.readable).arrayBuffer());
  const [head = ""] = new TextDecoder("latin1").decode(answer).split("\r\n\r\n");
  assert.match(head, /content-encoding: gzip/i);
  assert.deepEqual([...answer.subarray(head.length + 4, head.length + 6)], [0x1f, 0x8b]);
});

Deno.test("A graph that waits for its upload is 409 graph not ready, until the last call", async () => {
  await using server = await startServer();
  const graph = await createUnready(server);
  const assertNotReady = async (): Promise<void> => {
    const json = { t_before: 0, txs: ["[]"] };
    for (
      const path of [
        "pull",
        "pull?since=0",
        "snapshot/download",
        "snapshot/stream",
        "checksum/diagnostics",
      ]
    ) {
      assert.deepEqual(await server.call(`/sync/${graph}/${path}`), NOT_READY, path);
    }
    assert.deepEqual(await server.call(`/sync/${graph}/tx/batch`, { json }), NOT_READY);
    await assert.rejects(server.connect(graph), (refused) => {
      assert.ok(refused instanceof UpgradeRefused);
      assert.deepEqual({ status: refused.status, body: JSON.parse(refused.body) }, NOT_READY);
      return true;
    });
  };
  await assertNotReady();
  await sendFrame(server, graph, "?reset=true", frameOf(SMALL.slice(0, 300)));
  await assertNotReady();
  await sendFrame(server, graph, "?reset=false&finished=true", frameOf(SMALL.slice(300)));
  assert.equal((await pullToday(server, graph)).t, 0);
  await using socket = await server.connectAs(graph, parseTodaysMessage);
  const hello = await socket.ask({ type: "hello", client: "c" });
  assert.ok(hello.type === "hello");
  assert.equal(hello.t, 0);
});

Deno.test("The checksum of an upload is what comes of its rows, whatever the client tells", async () => {
  for (const told of ["", "&checksum=00000000000000ff", "&checksum=x"]) {
    using kv = await Deno.openKv(":memory:");
    const server = await startServer({ kv });
    const graph = await createUnready(server);
    const query = `?reset=true&finished=true${told}`;
    assert.equal((await sendFrame(server, graph, query, frameOf(SMALL))).status, 200);
    const { body } = await server.call(`/sync/${graph}/checksum/diagnostics`);
    const { checksum } = z.looseObject({ checksum: z.string() }).parse(body);
    assert.match(checksum, /^(?!0{16})[0-9a-f]{16}$/);
    await server.stop();
    await using next = await startServer({ kv });
    assert.equal((await pullToday(next, graph)).checksum, checksum);
  }
});

Deno.test("A graph's checksum is told from the end of its upload on", async () => {
  await using server = await startServer();
  const graph = await createUnready(server);
  const rows = frameOf(readRows("medium-a"));
  assert.equal((await sendFrame(server, graph, "?reset=true&finished=true", rows)).status, 200);
  assert.match(String((await pullToday(server, graph)).checksum), /^(?!0{16})[0-9a-f]{16}$/);
});

Deno.test("A graph stays as it is while it is uploaded anew, and then its sockets are closed", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  await write(server, graph, 0);
  const before = await pullToday(server, graph);
  await using socket = await server.connect(graph);
  await sendFrame(server, graph, "", frameOf(SMALL.slice(0, 300)));
  assert.deepEqual(await pullToday(server, graph), before);
  assert.deepEqual(await socket.ask({ type: "hello", client: "c" }), { type: "hello", t: 1 });
  await sendFrame(server, graph, "?reset=false&finished=1", frameOf(SMALL.slice(300)));
  assert.equal((await socket.closed).code, 1012);
  const { t, txs } = await pullToday(server, graph);
  assert.deepEqual({ t, txs }, { t: 0, txs: [] });
  assert.deepEqual((await downloadFrames(server, graph)).rows, SMALL);
});

Deno.test("An upload that is not begun is 409, and one that is no database 400", async () => {
  await using server = await startServer();
  const graph = await createUnready(server);
  const notBegun = { status: 409, body: { error: "no snapshot upload" } };
  const unfit = { status: 400, body: { error: "invalid snapshot" } };
  assert.deepEqual(await sendFrame(server, graph, "?reset=false", frameOf(SMALL)), notBegun);
  const half = frameOf(SMALL.slice(0, 300));
  assert.deepEqual(await sendFrame(server, graph, "?finished=true", half), unfit);
  assert.deepEqual(await server.call(`/sync/${graph}/pull`), NOT_READY);
  const foreign = await sendFrame(server, graph, "", half, { as: "bob" });
  assert.deepEqual(foreign, { status: 403, body: { error: "forbidden" } });
  const missing = await sendFrame(server, newGraphId(), "", half);
  assert.deepEqual(missing, { status: 404, body: { error: "not found" } });
});

Deno.test("A body that is no frames of rows is 400, or 413, and begins no upload", async () => {
  await using server = await startServer();
  const graph = await createUnready(server);
  const cut = frameOf(SMALL).slice(0, -1);
  const cases: [Uint8Array<ArrayBuffer>, number, string][] = [
    [new Uint8Array(), 400, "missing body"],
    [new Uint8Array([0, 0]), 400, "invalid body"],
    [new TextEncoder().encode('[[0,"a",null]]'), 413, "body too large"],
    [cut, 400, "invalid body"],
    [gzipped(cut), 400, "invalid body"],
    [gzipped(frameOf(SMALL)).slice(0, -20), 400, "invalid body"],
    [frameOf([[0, "x".repeat(17 * 1024 * 1024), null]]), 413, "snapshot row too large"],
  ];
  for (const [bytes, status, error] of cases) {
    assert.deepEqual(await sendFrame(server, graph, "", bytes), { status, body: { error } });
  }
  const { status } = await sendFrame(server, graph, "?reset=false", frameOf(SMALL));
  assert.equal(status, 409);
});

Deno.test("Who downloads while others write gets the version that his pull told, and can go on from it", async () => {
  await using server = await startServer();
  const graph = await createUnready(server);
  await uploadFrames(server, graph, OTHER);
  let t = 0;
  const between = async (): Promise<void> => await write(server, graph, t++);
  for (let i = 0; i < 3; i++) {
    await between();
    const { t: told, rows, count } = await downloadFrames(server, graph, between);
    assert.equal(told, t - 2);
    assert.equal(rows.length, count);
    const db = openRows(byAddr(rows));
    const titles = datomsOf(db).filter((datom) => /block\/title","block \d+"/.test(datom));
    assert.equal(titles.length, told, "as many blocks as there were batches");
    const since = await pullToday(server, graph, `?since=${told}`);
    assert.deepEqual(since.txs.map((entry) => entry.t), [t - 1, t]);
    const caughtUp = since.txs.reduce((before, { tx }) => after(before, [tx]), db);
    const now = openRows(byAddr((await downloadFrames(server, graph)).rows));
    assert.deepEqual(differencesOfMeaning(caughtUp, now), []);
  }
});

Deno.test("A version that is no more, or never was, is 404", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  await write(server, graph, 0);
  const { body } = await server.call(`/sync/${graph}/snapshot/download`);
  const { pathname, search } = new URL(downloadAnswerSchema.parse(body).url);
  const notFound = { status: 404, body: { error: "not found" } };
  for (
    const query of [
      "?t=1",
      `?log=${newGraphId()}`,
      `?t=0&log=${newGraphId()}`,
      search.replace("t=1", "t=2"),
      search.replace("t=1", "t=x"),
    ]
  ) assert.deepEqual(await server.call(`${pathname}${query}`), notFound, query);
  assert.equal((await rowsIn(await server.fetch(pathname + search))).count, 5);
  await server.call(`/sync/${graph}/admin/reset`, { method: "DELETE" });
  assert.deepEqual(await server.call(pathname + search), notFound);
  const current = await rowsIn(await server.fetch(pathname));
  assert.deepEqual(current, { rows: [], count: 0 });
});

Deno.test("A graph of which rows are missing is not ready to be downloaded", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  const json = { reset: true, rows: SMALL.slice(0, 300) };
  await server.call(`/sync/${graph}/snapshot/import`, { json });
  assert.deepEqual(await server.call(`/sync/${graph}/snapshot/stream`), NOT_READY);
});

Deno.test("A client that goes away in the middle of a stream leaves nothing open", async () => {
  await using server = await startServer();
  const graph = await createUnready(server);
  await uploadFrames(server, graph, readRows("medium-a"));
  for (const encoding of ["gzip", "identity"]) {
    const headers = { "accept-encoding": encoding };
    const response = await server.fetch(`/sync/${graph}/snapshot/stream`, { headers });
    const reader = response.body?.getReader();
    assert.equal((await reader?.read())?.done, false);
    await reader?.cancel();
  }
});

Deno.test("The address of a download is the one that the client uses", async () => {
  await using server = await startServer();
  await using proxied = await startServer({ variables: { TRUST_PROXY: "yes" } });
  const forwarded = { "x-forwarded-proto": "https", "x-forwarded-host": "notes.example.org" };
  for (const [one, expected] of [[server, server.url], [proxied, "https://notes.example.org"]]) {
    assert.ok(typeof one === "object" && typeof expected === "string");
    const graph = await one.createGraph();
    const path = `/sync/${graph}/snapshot/download`;
    const { body } = await one.call(path, { headers: forwarded });
    const { url, key } = downloadAnswerSchema.parse(body);
    assert.ok(url.startsWith(`${expected}/sync/${graph}/snapshot/stream?`), url);
    assert.equal(key, `stream/${graph}.snapshot`);
  }
});

Deno.test("A browser may send gzip and read the headers of a snapshot", async () => {
  await using server = await startServer();
  for (const what of ["upload", "download", "stream"]) {
    const path = `/sync/${newGraphId()}/snapshot/${what}`;
    for (const method of ["OPTIONS", "GET"]) {
      const { headers, body } = await server.fetch(path, { method, as: null });
      await body?.cancel();
      assert.match(headers.get("access-control-allow-headers") ?? "", /,content-encoding$/);
      assert.match(headers.get("access-control-expose-headers") ?? "", /x-snapshot-row-count/);
    }
  }
});
