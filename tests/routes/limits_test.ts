import assert from "node:assert/strict";
import { createGraphAnswerSchema } from "../../protocol/http.ts";
import { ownedPrefix } from "../../kv/keys.ts";
import { within } from "../support/deadline.ts";
import { blockTx } from "../support/forms.ts";
import { withList } from "../support/kv.ts";
import { acceptedAtOnce, startServer, type TestServer } from "../support/server.ts";
import { type TestSocket, UpgradeRefused } from "../support/socket.ts";
import { userOf } from "../support/user.ts";

const hello = { type: "hello", client: "repo" };

Deno.test("Requests beyond the rate are 429 with retry-after and CORS, and another user's are not", async () => {
  await using server = await startServer({ variables: { REQUESTS_PER_SECOND: "1" } });
  let refused: Response | undefined;
  let taken = 0;
  for (; refused === undefined && taken < 1000; taken++) {
    const response = await server.fetch("/graphs");
    if (response.status === 429) refused = response;
    else await response.body?.cancel();
  }
  assert.ok(refused !== undefined && taken >= 10, `${taken} requests`);
  assert.equal(refused.headers.get("retry-after"), "1");
  assert.equal(refused.headers.get("access-control-allow-origin"), "*");
  assert.equal(refused.headers.get("access-control-expose-headers"), "retry-after");
  assert.deepEqual(await refused.json(), { error: "too many requests" });
  assert.equal((await server.call("/graphs", { as: "bob" })).status, 200);
  assert.equal((await server.call("/health", { as: null })).status, 200);
});

Deno.test("Frames beyond the rate are answered later, in their order, and none is refused", async () => {
  await using server = await startServer({ variables: { FRAMES_PER_SECOND: "20" } });
  const graph = await server.createGraph();
  await using socket = await server.connect(graph);
  const start = performance.now();
  for (let i = 0; i < 205; i++) socket.send(hello);
  socket.send({ type: "tx/batch", t_before: 0, txs: [blockTx(crypto.randomUUID(), "a")] });
  for (let i = 0; i < 205; i++) assert.deepEqual(await socket.next(), { type: "hello", t: 0 });
  assert.deepEqual(await socket.next(), { type: "tx/batch/ok", t: 1 });
  assert.ok(performance.now() - start >= 250, "six of them had to wait");
});

async function refusedWith(server: TestServer, graph: string): Promise<UpgradeRefused> {
  try {
    await using _socket = await server.connect(graph);
  } catch (error) {
    assert.ok(error instanceof UpgradeRefused);
    return error;
  }
  throw new Error("The socket was opened");
}

/** Once the server has noticed that an earlier one is gone. */
async function connectAgain(server: TestServer, graph: string): Promise<TestSocket> {
  const open = async (): Promise<TestSocket> => {
    for (;;) {
      try {
        return await server.connect(graph);
      } catch (error) {
        if (!(error instanceof UpgradeRefused && error.status === 429)) throw error;
      }
    }
  };
  return await within(open(), "a place for a socket");
}

Deno.test("A socket beyond a user's number is refused with 429 before the upgrade, until one is gone", async () => {
  await using server = await startServer({ variables: { SOCKETS_PER_USER: "2" } });
  const [graph, other] = [await server.createGraph(), await server.createGraph()];
  const bobs = await server.createGraph("bob");
  await using first = await server.connect(graph);
  await using second = await server.connect(other);
  const { status, headers, body } = await refusedWith(server, graph);
  assert.deepEqual([status, body], [429, '{"error":"too many sockets"}']);
  assert.equal(headers["access-control-allow-origin"], "*");
  assert.ok(Number(headers["retry-after"]) > 0);
  await using _bob = await server.connect(bobs, "bob");
  assert.deepEqual(await first.ask(hello), { type: "hello", t: 0 });
  second.cut();
  await using again = await connectAgain(server, graph);
  assert.deepEqual(await again.ask(hello), { type: "hello", t: 0 });
});

Deno.test("A user has as many graphs as he may, however many he asks for at once, here and elsewhere", async () => {
  using kv = await Deno.openKv(":memory:");
  const options = { kv, variables: { GRAPHS_PER_USER: "3" } };
  await using here = await startServer(options);
  await using there = await startServer(options);
  const create = (server: TestServer): ReturnType<TestServer["call"]> =>
    server.call("/graphs", { json: { graph_name: "n" } });
  const refused = { status: 409, body: { error: "too many graphs" } };
  const made = await acceptedAtOnce([here, there], 12, create, refused);
  assert.equal(made.length, 3);
  await here.createGraph("bob");
  const { graph_id } = createGraphAnswerSchema.parse(made[0]?.body);
  await here.call(`/graphs/${graph_id}`, { method: "DELETE" });
  assert.equal((await create(there)).status, 200);
  assert.deepEqual(await create(here), refused);
});

Deno.test("A user's lists of graphs are made two at once, and another's beside them", async () => {
  using kv = await Deno.openKv(":memory:");
  const { promise: free, resolve: letGo } = Promise.withResolvers<void>();
  const owned = JSON.stringify({ prefix: ownedPrefix(userOf("alice")) });
  let begun = 0;
  const held = withList(
    kv,
    async function* (list, selector): AsyncGenerator<Deno.KvEntry<unknown>> {
      if (JSON.stringify(selector) === owned) {
        begun++;
        await free;
      }
      yield* list();
    },
  );
  await using server = await startServer({ kv: held });
  const lists = Array.from({ length: 20 }, () => server.call("/graphs"));
  assert.equal((await server.call("/graphs", { as: "bob" })).status, 200);
  const made = server.call("/graphs", { json: { graph_name: "n" } });
  assert.equal((await server.call("/graphs", { as: "bob" })).status, 200);
  assert.equal(begun, 2);
  letGo();
  for (const { status } of await Promise.all([...lists, made])) assert.equal(status, 200);
});

Deno.test("A body of more than MAX_BODY_MIB is 413 on every route that reads one", async () => {
  await using server = await startServer({ variables: { MAX_BODY_MIB: "1" } });
  const graph = await server.createGraph();
  const body = JSON.stringify({ graph_name: "x".repeat(1024 * 1024) });
  for (
    const path of [
      "/graphs",
      `/graphs/${graph}/members`,
      "/e2ee/user-keys",
      `/sync/${graph}/tx/batch`,
      `/sync/${graph}/snapshot/import`,
    ]
  ) {
    assert.deepEqual(await server.call(path, { body }), {
      status: 413,
      body: { error: "body too large" },
    }, path);
  }
});

Deno.test("A compressed body is 415, whatever it holds; identity is none", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  for (
    const path of [
      "/graphs",
      `/graphs/${graph}/members`,
      "/e2ee/user-keys",
      `/sync/${graph}/tx/batch`,
      `/sync/${graph}/snapshot/import`,
    ]
  ) {
    for (const encoding of ["gzip", "deflate", "br", "zstd", "identity, gzip"]) {
      const headers = { "content-encoding": encoding };
      const response = await server.fetch(path, { body: "x", headers });
      assert.equal(response.status, 415, path);
      assert.equal(response.headers.get("accept-encoding"), "identity");
      assert.deepEqual(await response.json(), { error: "unsupported content-encoding" });
    }
  }
  const headers = { "content-encoding": "identity" };
  const { status } = await server.call("/graphs", { json: { graph_name: "n" }, headers });
  assert.equal(status, 200);
});

Deno.test("What is nested too deeply is refused like what is no JSON, and changes nothing", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  const deep = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);
  const invalid = (word: string): unknown => ({ status: 400, body: { error: word } });
  const post = (path: string, body: string): ReturnType<TestServer["call"]> =>
    server.call(path, { body });
  const batch = `/sync/${graph}/tx/batch`;
  const rows = `/sync/${graph}/snapshot/import`;
  for (const depth of [40, 1_000_000]) {
    const extra = deep(depth);
    const named = `{"graph_name":"n","x":${extra}}`;
    assert.deepEqual(await post("/graphs", named), invalid("invalid body"));
    const txs = `{"t_before":0,"txs":["[]"],"x":${extra}}`;
    assert.deepEqual(await post(batch, txs), invalid("invalid tx"));
    assert.deepEqual(await post(rows, `{"rows":[],"x":${extra}}`), invalid("invalid body"));
  }
  const tx = deep(2000);
  assert.deepEqual(await server.call(batch, { json: { t_before: 0, txs: [tx] } }), {
    status: 200,
    body: { type: "tx/reject", reason: "invalid tx" },
  });
  for (const row of [[0, tx, null], [0, "[]", tx]]) {
    assert.deepEqual(await server.call(rows, { json: { rows: [row] } }), invalid("invalid body"));
  }
  await using socket = await server.connect(graph);
  socket.sendText(`{"type":"ping","x":${deep(40)}}`);
  assert.deepEqual(await socket.next(), { type: "error", message: "invalid request" });
  assert.deepEqual(await socket.ask({ type: "tx/batch", t_before: 0, txs: [tx] }), {
    type: "tx/reject",
    reason: "invalid tx",
  });
  assert.deepEqual(await socket.ask(hello), { type: "hello", t: 0 });
});
