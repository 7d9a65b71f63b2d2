import assert from "node:assert/strict";
import { signToken } from "../../auth/sign.ts";
import { newGraphId } from "../../protocol/ids.ts";
import { AUTH_SECRET } from "../support/secret.ts";
import { UpgradeRefused } from "../support/socket.ts";
import { startServer, type TestServer } from "../support/server.ts";

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
