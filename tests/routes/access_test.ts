import assert from "node:assert/strict";
import { createApp } from "../../app.ts";
import { openBlobStores } from "../../assets/open.ts";
import { signToken } from "../../auth/sign.ts";
import { AtOnce } from "../../limits/at_once.ts";
import { newGraphId, type UserId } from "../../protocol/ids.ts";
import { createServices } from "../../services.ts";
import { openFanout } from "../../sync/fanout.ts";
import { Hub } from "../../sync/hub.ts";
import { NO_METER } from "../../telemetry/metrics.ts";
import { blockTx } from "../support/forms.ts";
import { dump } from "../support/kv.ts";
import { AUTH_SECRET } from "../support/secret.ts";
import { UpgradeRefused } from "../support/socket.ts";
import { sendHead } from "../support/raw_request.ts";
import { type RequestOptions, startServer, type TestServer } from "../support/server.ts";
import { userOf } from "../support/user.ts";

const unauthorized = { status: 401, body: { error: "unauthorized" } };
const forbidden = { status: 403, body: { error: "forbidden" } };
const notFound = { status: 404, body: { error: "not found" } };

/** Method and path of every route of a graph. */
function routesOf(graph: string): [string, string][] {
  return [
    ["GET", `/graphs/${graph}/access`],
    ["DELETE", `/graphs/${graph}`],
    ["GET", `/sync/${graph}`],
    ["GET", `/sync/${graph}/health`],
    ["GET", `/sync/${graph}/pull`],
    ["POST", `/sync/${graph}/tx/batch`],
    ["GET", `/sync/${graph}/snapshot/rows`],
    ["POST", `/sync/${graph}/snapshot/import`],
    ["DELETE", `/sync/${graph}/admin/reset`],
    ["GET", `/sync/${graph}/no/such/route`],
    ["GET", `/assets/${graph}/6f1e2d3c-0000-4000-8000-000000000001.png`],
    ["PUT", `/assets/${graph}/6f1e2d3c-0000-4000-8000-000000000001.png`],
    ["DELETE", `/assets/${graph}/6f1e2d3c-0000-4000-8000-000000000001.png`],
    ["POST", `/assets/${graph}/6f1e2d3c-0000-4000-8000-000000000001.png`],
    ["GET", `/assets/${graph}/no/such/path`],
  ];
}

Deno.test("Every route of graphs, sync and assets is 401 without a token, whether it exists or not", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  const routes: [string, string][] = [
    ["GET", "/graphs"],
    ["POST", "/graphs"],
    ["DELETE", "/graphs/"],
    ["GET", "/sync/"],
    ["GET", "/assets/x"],
    ...routesOf(graph),
    ...routesOf(newGraphId()),
  ];
  for (const [method, path] of routes) {
    assert.deepEqual(await server.call(path, { method, as: null }), unauthorized, path);
  }
});

Deno.test("A bad token is 401, wherever it is", async () => {
  await using server = await startServer();
  const good = await server.token();
  const forged = await signToken("another secret of more than 32 bytes", "alice", Date.now(), 60);
  const expired = await signToken(AUTH_SECRET, "alice", Date.now(), -90);
  for (const token of [forged, expired, "x", "a.b.c", `${good}x`]) {
    const authorization = `Bearer ${token}`;
    assert.deepEqual(
      await server.call("/graphs", { as: null, headers: { authorization } }),
      unauthorized,
    );
    const query = `/graphs?token=${encodeURIComponent(token)}`;
    assert.deepEqual(await server.call(query, { as: null }), unauthorized);
  }
  const { status } = await server.call(`/graphs?token=${good}`, { as: null });
  assert.equal(status, 200);
});

Deno.test("Every route of another's graph is 403, and of none 404", async () => {
  await using server = await startServer();
  const graph = await server.createGraph("alice");
  for (const [method, path] of routesOf(graph)) {
    assert.deepEqual(await server.call(path, { method, as: "bob" }), forbidden, path);
  }
  for (const id of [newGraphId(), "notes", "%00", `${graph}x`]) {
    for (const [method, path] of routesOf(id)) {
      assert.deepEqual(await server.call(path, { method, as: "bob" }), notFound, path);
    }
  }
  assert.deepEqual(await server.call(`/graphs/${graph}/access`), {
    status: 200,
    body: { ok: true },
  });
});

Deno.test("A graph's id may be written in upper case", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  const { status } = await server.call(`/sync/${graph.toUpperCase()}/health`);
  assert.equal(status, 200);
});

Deno.test("Without an id /sync/ and DELETE /graphs/ are 400 missing graph id", async () => {
  await using server = await startServer();
  const missing = { status: 400, body: { error: "missing graph id" } };
  assert.deepEqual(await server.call("/sync/"), missing);
  assert.deepEqual(await server.call("/sync"), missing);
  assert.deepEqual(await server.call("/sync/", { method: "POST" }), missing);
  for (const path of ["/sync//", "/sync//pull", "/sync//snapshot/rows"]) {
    assert.deepEqual(await server.call(path), missing);
  }
  assert.deepEqual(await server.call("/graphs/", { method: "DELETE" }), missing);
});

Deno.test("GET /sync/:graph-id without an upgrade is 404", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  assert.deepEqual(await server.call(`/sync/${graph}`), notFound);
});

async function refusalOf(server: TestServer, graph: string, as: string | null): Promise<unknown> {
  try {
    await using _socket = await server.connect(graph, as);
  } catch (error) {
    assert.ok(error instanceof UpgradeRefused);
    assert.equal(error.headers["access-control-allow-origin"], "*");
    return { status: error.status, body: JSON.parse(error.body) };
  }
  throw new Error("The socket was opened");
}

Deno.test("A socket is refused before the upgrade, with the same errors", async () => {
  await using server = await startServer();
  const graph = await server.createGraph("alice");
  assert.deepEqual(await refusalOf(server, graph, null), unauthorized);
  assert.deepEqual(await refusalOf(server, graph, "bob"), forbidden);
  assert.deepEqual(await refusalOf(server, newGraphId(), "alice"), notFound);
  assert.deepEqual(await refusalOf(server, "notes", "alice"), notFound);
});

type Call = readonly [method: string, path: string, body: string];

/**
 * Sends a request with half its body, and the other half when what this answers is called; that answers
 * the status line and the body.
 */
async function begin(
  server: TestServer,
  as: string,
  [method, path, body]: Call,
): Promise<() => Promise<readonly [status: string | undefined, body: string | undefined]>> {
  const { readable, writable } = await sendHead(server, `${method} ${path}`, [
    `content-length: ${body.length}`,
    "connection: close",
    "expect: 100-continue",
  ], as);
  const writer = writable.getWriter();
  const answers = readable.pipeThrough(new TextDecoderStream());
  const send = (text: string): Promise<void> => writer.write(new TextEncoder().encode(text));
  // Which is sent when the body is asked for: he was let in.
  let answer = "";
  for await (const text of answers.values({ preventCancel: true })) {
    answer += text;
    if (answer.includes("\r\n\r\n")) break;
  }
  assert.equal(answer, "HTTP/1.1 100 Continue\r\n\r\n", path);
  const half = body.length >> 1;
  await send(body.slice(0, half));
  return async () => {
    await send(body.slice(half));
    const [head, answered] = (await Array.fromAsync(answers)).join("").split("\r\n\r\n");
    return [head?.split("\r\n")[0], answered];
  };
}

/** Calls that write into a graph: of members, and of managers alone. */
function writesOf(graph: string): readonly [members: readonly Call[], managers: readonly Call[]] {
  const tx = blockTx(crypto.randomUUID(), "a");
  const sync = `/sync/${graph}`;
  return [[
    ["POST", `${sync}/tx/batch`, JSON.stringify({ t_before: 0, txs: [tx] })],
    ["POST", `${sync}/tx/batch`, JSON.stringify({ "t-before": 0, "txs": [{ tx }] })],
    ["PUT", `/assets/${graph}/${crypto.randomUUID()}.txt`, "a file"],
  ], [
    ["POST", `${sync}/snapshot/import`, JSON.stringify({ reset: true, rows: [[0, "", null]] })],
    ["POST", `${sync}/snapshot/upload?reset=true&finished=true`, "\0\0\0\x02[]"],
  ]];
}

/** What is stored, but for bob's. */
async function storedOf({ kv }: TestServer): Promise<unknown> {
  const entries = (await dump(kv)).filter(({ key }) => !key.includes("bob"));
  return entries.map(({ key, value }) => ({ key, value }));
}

/**
 * Makes bob a manager of a graph of alice, lets him begin a call, and does `meanwhile` as alice before
 * the rest of his body is sent: then that must be refused, and nothing stored.
 */
async function refusedAtTheEnd(
  server: TestServer,
  members: string,
  call: Call,
  meanwhile: readonly RequestOptions[],
): Promise<void> {
  const json = { "user-id": "bob", "role": "manager" };
  assert.equal((await server.call(members, { json })).status, 200);
  const before = await storedOf(server);
  const finish = await begin(server, "bob", call);
  for (const options of meanwhile) {
    assert.equal((await server.call(`${members}/bob`, options)).status, 200);
  }
  const answer = ["HTTP/1.1 403 Forbidden", JSON.stringify(forbidden.body)];
  assert.deepEqual(await finish(), answer, call[1]);
  assert.deepEqual(await storedOf(server), before, call[1]);
}

const LOWER: RequestOptions = { method: "PUT", json: { role: "member" } };
const PUT_OUT: RequestOptions = { method: "DELETE" };

Deno.test("Who is put out while his body is under way writes nothing by it", async () => {
  await using server = await startServer();
  await server.call("/graphs", { as: "bob" });
  const graph = await server.createGraph();
  for (const call of writesOf(graph).flat()) {
    await refusedAtTheEnd(server, `/graphs/${graph}/members`, call, [LOWER, PUT_OUT]);
  }
});

Deno.test("A manager who is made a member while his body is under way replaces nothing by it", async () => {
  await using server = await startServer();
  await server.call("/graphs", { as: "bob" });
  const graph = await server.createGraph();
  const [, managers] = writesOf(graph);
  for (const call of managers) {
    await refusedAtTheEnd(server, `/graphs/${graph}/members`, call, [LOWER]);
  }
});

/** One place for each user, and it is known when somebody has asked for it. */
class OnePlace extends AtOnce {
  asked = Promise.withResolvers<void>();

  constructor() {
    super(1);
  }

  override enter(user: UserId): Promise<() => void> {
    this.asked.resolve();
    return super.enter(user);
  }
}

Deno.test("Who is put out while he waits for his turn is told nothing when it comes", async () => {
  await using server = await startServer();
  await server.call("/graphs", { as: "bob" });
  const graph = await server.createGraph();
  const sync = `/sync/${graph}`;
  const file = `/assets/${graph}/${crypto.randomUUID()}.txt`;
  await server.call(`${sync}/tx/batch`, {
    json: { t_before: 0, txs: [blockTx(crypto.randomUUID(), "title")] },
  });
  await server.call(file, { method: "PUT", body: "a file" });
  const place = new OnePlace();
  const fanout = openFanout(new Hub(), []);
  const { kv, config } = server;
  const stores = openBlobStores(kv);
  const parts = { kv, hub: new Hub(), fanout, meter: NO_METER, stores, ...config };
  const services = await createServices(parts);
  const limits = { ...services.limits, answers: place, backups: place, files: place, lists: place };
  const app = createApp({ ...services, limits });
  const token = await server.token("bob");
  const headers = { authorization: `Bearer ${token}`, cookie: `sync_session=${token}` };
  const members = `/graphs/${graph}/members`;
  for (
    const [path, refusal] of [
      [`${sync}/pull`, 403],
      [`${sync}/pull?since=0`, 403],
      [`${sync}/snapshot/rows`, 403],
      [`${sync}/snapshot/stream`, 403],
      [`${sync}/checksum/diagnostics`, 403],
      [file, 403],
      [members, 403],
      [`/status/${graph}/backup`, 404],
    ] as const
  ) {
    await server.call(members, { json: { "user-id": "bob" } });
    const before = await app.request(path, { headers });
    assert.equal(before.status, 200, path);
    await before.body?.cancel();
    const leave = await place.enter(userOf("bob"));
    place.asked = Promise.withResolvers();
    const answer = app.request(path, { headers });
    await place.asked.promise;
    await server.call(`${members}/bob`, { method: "DELETE" });
    leave();
    assert.equal((await answer).status, refusal, path);
  }
  await services.idle();
  await fanout.close();
});
