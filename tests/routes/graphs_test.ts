import assert from "node:assert/strict";
import { z } from "zod";
import { createGraphAnswerSchema, graphsAnswerSchema } from "../../protocol/http.ts";
import * as today from "../../protocol/today/http.ts";
import { blockTx } from "../support/forms.ts";
import { acceptedAtOnce, startServer, type TestServer } from "../support/server.ts";

async function graphsOf(
  server: TestServer,
  as: string,
): Promise<ReturnType<typeof graphsAnswerSchema.parse>["graphs"]> {
  const { status, body } = await server.call("/graphs", { as });
  assert.equal(status, 200);
  return graphsAnswerSchema.parse(body).graphs;
}

Deno.test("A graph that was made is listed to its owner, and to nobody else", async () => {
  await using server = await startServer();
  const before = Date.now();
  const created = await server.call("/graphs", {
    json: { graph_name: "notes ü", schema_version: "65" },
  });
  const after = Date.now();
  assert.equal(created.status, 200);
  const { graph_id } = createGraphAnswerSchema.parse(created.body);
  const [graph, ...more] = await graphsOf(server, "alice");
  assert.ok(graph);
  assert.deepEqual(more, []);
  const { created_at, updated_at, ...rest } = graph;
  assert.deepEqual(rest, { graph_id, graph_name: "notes ü", schema_version: "65" });
  assert.ok(before <= created_at && created_at <= after);
  assert.equal(updated_at, created_at);
  assert.deepEqual(await graphsOf(server, "bob"), []);
});

Deno.test("A schema version that was not given, or was null, is left out", async () => {
  await using server = await startServer();
  await server.call("/graphs", { json: { graph_name: "a" } });
  await server.call("/graphs", { json: { graph_name: "b", schema_version: null } });
  for (const graph of await graphsOf(server, "alice")) {
    assert.deepEqual(Object.keys(graph).sort(), [
      "created_at",
      "graph_id",
      "graph_name",
      "updated_at",
    ]);
  }
});

Deno.test("A graph that is asked for in today's spelling is answered in it, and listed in both", async () => {
  await using server = await startServer();
  const json = { "graph-name": "notes ü", "schema-version": "65", "graph-ready-for-use?": false };
  const refused = await server.call("/graphs", { json });
  assert.deepEqual(refused, { status: 400, body: { error: "missing user rsa key pair" } });
  const pair = { "public-key": "public", "encrypted-private-key": "private" };
  await server.call("/e2ee/user-keys", { json: pair });
  const { status, body } = await server.call("/graphs", { json });
  assert.equal(status, 200);
  const made = today.createGraphAnswerSchema.parse(body);
  assert.equal(made["graph-e2ee?"], true);
  assert.equal(made["graph-ready-for-use?"], false);
  const [listed] = z.object({ graphs: z.array(z.record(z.string(), z.unknown())) })
    .parse((await server.call("/graphs")).body).graphs;
  const { created_at, updated_at, ...rest } = listed ?? {};
  assert.deepEqual(rest, {
    ...json,
    "graph-e2ee?": true,
    "graph-id": made["graph-id"],
    "created-at": created_at,
    "updated-at": updated_at,
    "graph_id": made["graph-id"],
    "graph_name": "notes ü",
    "schema_version": "65",
    "role": "manager",
  });
});

Deno.test("A user who makes a hundred graphs at once has a hundred graphs", async () => {
  await using server = await startServer();
  const made = await Promise.all(Array.from({ length: 100 }, () => server.createGraph()));
  assert.equal(new Set(made).size, 100);
  assert.equal((await graphsOf(server, "alice")).length, 100);
});

Deno.test("Of today's graphs of one owner each has another name, also if they are made at once", async () => {
  using kv = await Deno.openKv(":memory:");
  await using here = await startServer({ kv });
  await using there = await startServer({ kv });
  const create = (server: TestServer, as = "alice"): ReturnType<TestServer["call"]> =>
    server.call("/graphs", { as, json: { "graph-name": "notes", "graph-e2ee?": false } });
  // Of the seed's there may be more than one.
  await here.call("/graphs", { json: { graph_name: "other notes" } });
  const refused = { status: 400, body: { error: "duplicate graph name" } };
  const made = await acceptedAtOnce([here, there], 10, create, refused);
  assert.equal(made.length, 1);
  assert.equal((await create(here, "bob")).status, 200);
  const { "graph-id": graph } = today.createGraphAnswerSchema.parse(made[0]?.body);
  await there.call(`/graphs/${graph}`, { method: "DELETE" });
  assert.equal((await create(here)).status, 200);
  await here.call("/graphs", { json: { graph_name: "seed's" } });
  const json = { "graph-name": "seed's", "graph-e2ee?": false };
  assert.deepEqual(await there.call("/graphs", { json }), refused);
});

Deno.test("Graphs of one name are different graphs", async () => {
  await using server = await startServer();
  assert.notEqual(await server.createGraph(), await server.createGraph());
  assert.equal((await graphsOf(server, "alice")).length, 2);
});

Deno.test("The graph that changed last is listed first", async () => {
  await using server = await startServer();
  const first = await server.createGraph();
  const second = await server.createGraph();
  const { status, body } = await server.call(`/sync/${first}/tx/batch`, {
    json: { t_before: 0, txs: [blockTx(crypto.randomUUID(), "a")] },
  });
  assert.deepEqual({ status, body }, { status: 200, body: { type: "tx/batch/ok", t: 1 } });
  const listed = await graphsOf(server, "alice");
  const updated = listed.map((graph) => graph.updated_at);
  assert.deepEqual(updated, [...updated].sort((a, b) => b - a));
  assert.deepEqual(new Set(listed.map((graph) => graph.graph_id)), new Set([first, second]));
});

Deno.test("A graph without a body is 400 missing body, with a wrong one 400 invalid body", async () => {
  await using server = await startServer();
  const post = (body?: string): Promise<unknown> =>
    server.call("/graphs", { method: "POST", ...body !== undefined && { body } });
  assert.deepEqual(await post(), { status: 400, body: { error: "missing body" } });
  assert.deepEqual(await post(""), { status: 400, body: { error: "missing body" } });
  for (
    const body of [
      "{",
      "null",
      "[]",
      "{}",
      '{"graph_name":1}',
      '{"graph-name":1}',
      '{"graph-name":"a","graph-e2ee?":null}',
      '{"graph_name":"a","schema_version":1}',
    ]
  ) {
    assert.deepEqual(await post(body), { status: 400, body: { error: "invalid body" } }, body);
  }
  assert.deepEqual(await graphsOf(server, "alice"), []);
});

Deno.test("A body of more than 100 MiB is 413, also without a length, and the server goes on", async () => {
  await using server = await startServer();
  const mib = new Uint8Array(1024 * 1024).fill(0x20);
  let sent = 0;
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller): void {
      if (sent++ < 101) controller.enqueue(mib);
      else controller.close();
    },
  });
  const tooLarge = { status: 413, body: { error: "body too large" } };
  assert.deepEqual(await server.call("/graphs", { method: "POST", body }), tooLarge);
  const whole = new Blob(Array.from({ length: 101 }, () => mib));
  assert.deepEqual(await server.call("/graphs", { method: "POST", body: whole }), tooLarge);
  assert.deepEqual(await graphsOf(server, "alice"), []);
});

Deno.test("A graph that was deleted is gone: from the list, for access, for sync", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  const other = await server.createGraph();
  const json = { t_before: 0, txs: [blockTx(crypto.randomUUID(), "a")] };
  await server.call(`/sync/${graph}/tx/batch`, { json });
  assert.deepEqual(await server.call(`/graphs/${graph}`, { method: "DELETE" }), {
    status: 200,
    body: { "graph_id": graph, "graph-id": graph, "deleted": true },
  });
  const notFound = { status: 404, body: { error: "not found" } };
  assert.deepEqual(await server.call(`/graphs/${graph}/access`), notFound);
  assert.deepEqual(await server.call(`/sync/${graph}/pull`), notFound);
  assert.deepEqual(await server.call(`/graphs/${graph}`, { method: "DELETE" }), notFound);
  const left = (await graphsOf(server, "alice")).map(({ graph_id }) => graph_id);
  assert.deepEqual(left, [other]);
});
