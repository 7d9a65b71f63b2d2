import assert from "node:assert/strict";
import { blockTx } from "../support/forms.ts";
import { startServer } from "../support/server.ts";

const block = (title: string): string => blockTx(crypto.randomUUID(), title);
const hello = { type: "hello", client: "repo" };
const empty = { type: "pull/ok", t: 0, txs: [] };

Deno.test("A session: hello, batch, pull, ping", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  await using alice = await server.connect(graph);
  assert.deepEqual(await alice.ask(hello), { type: "hello", t: 0 });
  assert.deepEqual(await alice.ask({ type: "pull" }), empty);
  const batch = { type: "tx/batch", t_before: 0, txs: [block("a")] };
  assert.deepEqual(await alice.ask(batch), { type: "tx/batch/ok", t: 1 });
  const pulled = await alice.ask({ type: "pull", since: 0 });
  assert.ok(pulled.type === "pull/ok");
  assert.equal(pulled.t, 1);
  assert.deepEqual(pulled.txs.map((entry) => entry.t), [1]);
  assert.deepEqual(await server.call(`/sync/${graph}/pull`), { status: 200, body: pulled });
  assert.deepEqual(await alice.ask({ type: "pull", since: 1 }), { ...empty, t: 1 });
  assert.deepEqual(await alice.ask({ type: "ping" }), { type: "pong" });
  assert.deepEqual(await alice.ask(hello), { type: "hello", t: 1 });
});

Deno.test("Of a log that is longer than a frame the rest is told of, and pulled then", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  await using alice = await server.connect(graph);
  await using bob = await server.connect(graph);
  for (const [t, length] of [5_000_000, 5_000_000, 1].entries()) {
    await alice.ask({ type: "tx/batch", t_before: t, txs: [block("a".repeat(length))] });
  }
  bob.send(hello);
  while ((await bob.next()).type !== "hello");
  const pulled = await bob.ask({ type: "pull", since: 0 });
  assert.ok(pulled.type === "pull/ok");
  assert.deepEqual([pulled.t, ...pulled.txs.map(({ t }) => t)], [2, 1, 2]);
  assert.deepEqual(await bob.next(), { type: "changed", t: 3 });
  const rest = await bob.ask({ type: "pull", since: 2 });
  assert.ok(rest.type === "pull/ok");
  assert.deepEqual([rest.t, ...rest.txs.map(({ t }) => t)], [3, 3]);
  assert.deepEqual(await bob.ask({ type: "ping" }), { type: "pong" });
});

Deno.test("What can't be read is answered with its error, and the socket stays open", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  await using alice = await server.connect(graph);
  const error = (message: string): unknown => ({ type: "error", message });
  for (const text of ["", "{", "[]", "{}", '{"type":"hello"}']) {
    alice.sendText(text);
    assert.deepEqual(await alice.next(), error("invalid request"), text);
  }
  alice.sendBinary(new TextEncoder().encode('{"type":"ping"}'));
  assert.deepEqual(await alice.next(), error("invalid request"));
  assert.deepEqual(await alice.ask({ type: "tx" }), error("unknown type"));
  assert.deepEqual(await alice.ask({ type: "pull", since: null }), error("invalid since"));
  const reject = (reason: string): unknown => ({ type: "tx/reject", reason });
  assert.deepEqual(
    await alice.ask({ type: "tx/batch", t_before: 0, txs: "[]" }),
    reject("invalid tx"),
  );
  assert.deepEqual(
    await alice.ask({ type: "tx/batch", txs: [block("a")] }),
    reject("invalid t_before"),
  );
  assert.deepEqual(
    await alice.ask({ type: "tx/batch", t_before: 0, txs: [] }),
    reject("empty tx data"),
  );
  assert.deepEqual(await alice.ask({ type: "ping" }), { type: "pong" });
});

Deno.test("changed goes to every other socket of the graph, once, and not to the sender", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  const other = await server.createGraph();
  await using sender = await server.connect(graph);
  await using second = await server.connect(graph);
  await using third = await server.connect(graph);
  await using stranger = await server.connect(other);
  for (const socket of [sender, second, third, stranger]) await socket.ask(hello);
  const batch = { type: "tx/batch", t_before: 0, txs: [block("a")] };
  assert.deepEqual(await sender.ask(batch), { type: "tx/batch/ok", t: 1 });
  assert.deepEqual(await second.next(), { type: "changed", t: 1 });
  assert.deepEqual(await third.next(), { type: "changed", t: 1 });
  for (const socket of [sender, second, third, stranger]) {
    assert.deepEqual(await socket.untilPong(), []);
  }
});

Deno.test("A batch over HTTP has no sender: changed goes to all; a rejected one is no news", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  await using first = await server.connect(graph);
  await using second = await server.connect(graph);
  for (const socket of [first, second]) await socket.ask(hello);
  await server.call(`/sync/${graph}/tx/batch`, { json: { t_before: 7, txs: [block("a")] } });
  await server.call(`/sync/${graph}/tx/batch`, { json: { t_before: 0, txs: [block("a")] } });
  for (const socket of [first, second]) {
    assert.deepEqual(await socket.next(), { type: "changed", t: 1 });
    assert.deepEqual(await socket.untilPong(), []);
  }
});

Deno.test("A socket of another server over the same database hears of a batch", async () => {
  using kv = await Deno.openKv(":memory:");
  await using one = await startServer({ kv });
  await using two = await startServer({ kv });
  const graph = await one.createGraph();
  await using here = await one.connect(graph);
  await using there = await two.connect(graph);
  for (const socket of [here, there]) await socket.ask(hello);
  await here.ask({ type: "tx/batch", t_before: 0, txs: [block("a")] });
  assert.deepEqual(await there.next(), { type: "changed", t: 1 });
  await two.call(`/graphs/${graph}`, { method: "DELETE" });
  assert.deepEqual(await here.closed, { code: 4404, reason: "graph deleted" });
  assert.deepEqual(await there.closed, { code: 4404, reason: "graph deleted" });
});

Deno.test("A thousand frames sent without waiting are answered in their order", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  await using alice = await server.connect(graph);
  for (let i = 0; i < 1000; i++) alice.send(i % 2 === 0 ? { type: "ping" } : hello);
  for (let i = 0; i < 1000; i++) {
    assert.equal((await alice.next()).type, i % 2 === 0 ? "pong" : "hello");
  }
});

Deno.test("Batches sent without waiting are taken one after the other", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  await using alice = await server.connect(graph);
  for (let t = 0; t < 10; t++) alice.send({ type: "tx/batch", t_before: t, txs: [block(`${t}`)] });
  for (let t = 1; t <= 10; t++) assert.deepEqual(await alice.next(), { type: "tx/batch/ok", t });
});

Deno.test("A message of more than 64 MiB closes the socket with 1009, however it is cut into frames", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  await using alice = await server.connect(graph);
  alice.sendFragments(Array.from({ length: 5 }, () => " ".repeat(13 * 1024 * 1024)));
  assert.deepEqual(await alice.closed, { code: 1009, reason: "message too large" });
  await using again = await server.connect(graph);
  assert.deepEqual(await again.ask({ type: "ping" }), { type: "pong" });
});

Deno.test("A frame above what the platform takes ends that socket and no other", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  await using other = await server.connect(graph);
  await using alice = await server.connect(graph);
  alice.sendText(" ".repeat(65 * 1024 * 1024));
  await alice.closed;
  assert.deepEqual(await other.ask({ type: "ping" }), { type: "pong" });
});

Deno.test("A graph that is deleted closes its sockets", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  await using alice = await server.connect(graph);
  await alice.ask(hello);
  await server.call(`/graphs/${graph}`, { method: "DELETE" });
  assert.deepEqual(await alice.closed, { code: 4404, reason: "graph deleted" });
});

Deno.test("A reset, and an import that resets, close the sockets, for t goes back", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  {
    await using alice = await server.connect(graph);
    await alice.ask({ type: "tx/batch", t_before: 0, txs: [block("a")] });
    await server.call(`/sync/${graph}/admin/reset`, { method: "DELETE" });
    assert.deepEqual(await alice.closed, { code: 1012, reason: "graph reset" });
  }
  await using alice = await server.connect(graph);
  assert.deepEqual(await alice.ask(hello), { type: "hello", t: 0 });
  await server.call(`/sync/${graph}/snapshot/import`, { json: { reset: true, rows: [] } });
  assert.deepEqual(await alice.closed, { code: 1012, reason: "graph reset" });
});

Deno.test("A connection that is cut does the server and the others no harm", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  await using other = await server.connect(graph);
  for (let i = 0; i < 20; i++) {
    const alice = await server.connect(graph);
    for (let j = 0; j < 10; j++) alice.send({ type: "pull" });
    alice.cut();
    await alice.closed;
  }
  assert.deepEqual(await other.ask({ type: "ping" }), { type: "pong" });
});

Deno.test("A server that stops closes its sockets with 1001 and takes no more requests", async () => {
  const server = await startServer();
  const graph = await server.createGraph();
  await using alice = await server.connect(graph);
  await alice.ask(hello);
  await server.stop();
  assert.deepEqual(await alice.closed, { code: 1001, reason: "server shutting down" });
  await assert.rejects(fetch(`${server.url}/health`));
});

Deno.test("A server that stops answers what has come in before it closes the socket", async () => {
  const server = await startServer();
  const graph = await server.createGraph();
  await using alice = await server.connect(graph);
  const batch = (t_before: number): unknown => (
    { type: "tx/batch", t_before, txs: [block(`block ${t_before}`)] }
  );
  // The first takes longest.
  assert.deepEqual(await alice.ask(batch(0)), { type: "tx/batch/ok", t: 1 });
  // As few as a slow machine, too, answers in the time that a server takes to leave.
  const last = 10;
  for (let t = 1; t < last; t++) alice.send(batch(t));
  await alice.takenIn();
  const stopped = server.stop();
  for (let t = 2; t <= last; t++) {
    assert.deepEqual(await alice.next(), { type: "tx/batch/ok", t });
  }
  assert.deepEqual(await alice.closed, { code: 1001, reason: "server shutting down" });
  await stopped;
});
