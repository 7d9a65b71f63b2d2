import assert from "node:assert/strict";
import { diagnosticsAnswerSchema } from "../../protocol/today/http.ts";
import { entriesOkSchema, pullOkSchema } from "../../protocol/today/server_message.ts";
import { upload } from "../support/client.ts";
import { readRows } from "../support/fixtures.ts";
import { blockTx } from "../support/forms.ts";
import { startServer } from "../support/server.ts";
import { entry, lookup, newBlock, parseOpenly, parseTodaysMessage } from "../support/today.ts";

const EMPTY = "0000000000000000";
const hello = { type: "hello", client: "repo" };

function make(title: string, uuid: string = crypto.randomUUID()): ReturnType<typeof entry> {
  return entry("insert-blocks", ...newBlock(uuid, title, ["~:block/name", title]));
}

Deno.test("A session of today's client: hello, batch, pull, ping", async () => {
  await using server = await startServer();
  const graph = await server.createTodaysGraph();
  await using socket = await server.connectAs(graph, parseTodaysMessage);
  assert.deepEqual(await socket.ask(hello), { type: "hello", t: 0, checksum: EMPTY });
  assert.deepEqual(await socket.ask({ type: "pull", since: 0 }), {
    type: "pull/ok",
    t: 0,
    checksum: EMPTY,
    txs: [],
  });
  const txs = [make("a"), make("b")];
  const batch = { "type": "tx/batch", "t-before": 0, txs, "client-revision": "abc" };
  const ok = entriesOkSchema.parse(await socket.ask(batch));
  assert.equal(ok.t, 2);
  assert.match(String(ok.checksum), /^(?!0+$)[0-9a-f]{16}$/);
  const pulled = pullOkSchema.parse(await socket.ask({ type: "pull", since: 0 }));
  assert.deepEqual([pulled.t, pulled.checksum], [2, ok.checksum]);
  assert.deepEqual(pulled.txs.map((tx) => [tx.t, tx["outliner-op"]]), [
    [1, "insert-blocks"],
    [2, "insert-blocks"],
  ]);
  assert.deepEqual((await server.call(`/sync/${graph}/pull`)).body, pulled);
  const { checksum } = ok;
  assert.deepEqual(await socket.ask(hello), { type: "hello", t: 2, checksum });
  assert.deepEqual(await socket.ask({ type: "ping" }), { type: "pong" });
});

Deno.test("The same over HTTP", async () => {
  await using server = await startServer();
  const graph = await server.createTodaysGraph();
  const send = (json: unknown): Promise<unknown> =>
    server.call(`/sync/${graph}/tx/batch`, { json });
  const first = await server.call(`/sync/${graph}/tx/batch`, {
    json: { "t-before": 0, "txs": [make("a")] },
  });
  assert.equal(first.status, 200);
  assert.equal(entriesOkSchema.parse(first.body).t, 1);
  const answered = (body: unknown): unknown => ({ status: 200, body });
  const rejected = (reason: string): unknown => answered({ type: "tx/reject", reason });
  assert.deepEqual(
    await send({ "t-before": 0, "txs": [make("b")] }),
    answered({ type: "tx/reject", reason: "stale", t: 1 }),
  );
  assert.deepEqual(await send({ "t-before": 1, "txs": [] }), rejected("empty tx data"));
  assert.deepEqual(
    await send({ "t-before": -1, "txs": [make("b")] }),
    rejected("invalid t-before"),
  );
  assert.deepEqual(await send({ "txs": [make("b")] }), rejected("invalid t-before"));
  for (const txs of [undefined, null, "x", ["[]"], [{}], [{ tx: 1 }], [{ tx: "[]", "tx-id": 1 }]]) {
    assert.deepEqual(
      await send({ "t-before": 1, txs }),
      { status: 400, body: { error: "invalid tx" } },
      JSON.stringify(txs),
    );
  }
});

Deno.test("A batch that can't be read is refused in the dialect that it is in, and the socket stays open", async () => {
  await using server = await startServer();
  const graph = await server.createTodaysGraph();
  await using socket = await server.connectAs(graph, (text): { type: string } | undefined => {
    const frame: { type: string } = JSON.parse(text);
    return frame.type === "online-users" ? undefined : frame;
  });
  const rejected = (reason: string): unknown => ({ type: "tx/reject", reason });
  const ask = (fields: object): Promise<unknown> => socket.ask({ type: "tx/batch", ...fields });
  assert.deepEqual(await ask({ "t-before": 0, "txs": "x" }), rejected("invalid tx"));
  assert.deepEqual(await ask({ "t-before": 0, "txs": ["[]"] }), rejected("invalid tx"));
  assert.deepEqual(
    await ask({ "t-before": "0", "txs": [make("a")] }),
    rejected("invalid t-before"),
  );
  assert.deepEqual(await ask({ "txs": [make("a")] }), rejected("invalid t-before"));
  assert.deepEqual(await ask({ "txs": ["[]"] }), rejected("invalid t_before"));
  assert.deepEqual(await ask({ "t_before": 0, "txs": [make("a")] }), rejected("invalid tx"));
  assert.deepEqual(await ask({ "t_before": -1, "txs": ["[]"] }), rejected("invalid t_before"));
  assert.deepEqual(await ask({ "t-before": 0, "txs": [] }), rejected("empty tx data"));
  assert.deepEqual(await ask({ "t_before": 0, "txs": [] }), rejected("empty tx data"));
  assert.deepEqual(await socket.ask({ type: "ping" }), { type: "pong" });
});

Deno.test("Entries without id or outliner op are accepted", async () => {
  await using server = await startServer();
  const graph = await server.createTodaysGraph();
  await using socket = await server.connectAs(graph, parseTodaysMessage);
  const { tx } = make("a");
  const txs = [{ tx }, { ...make("b"), "outliner-op": null }];
  const ok = await socket.ask({ "type": "tx/batch", "t-before": 0, txs });
  assert.ok(ok.type === "tx/batch/ok" && ok.t === 2);
  const failing = entry("save-block", [
    "~:db/add",
    lookup(crypto.randomUUID()),
    "~:block/title",
    "x",
  ]);
  const failed = await socket.ask({
    "type": "tx/batch",
    "t-before": 2,
    "txs": [{ tx: failing.tx }],
  });
  assert.ok(failed.type === "tx/reject");
  assert.equal(failed.reason, "db transact failed");
  assert.deepEqual(failed["success-tx-ids"], []);
  assert.ok(!("failed-tx-id" in failed));
});

Deno.test("changed goes to every other socket of either dialect once for a batch, with its last version", async () => {
  await using server = await startServer();
  const graph = await server.createTodaysGraph();
  await using sender = await server.connectAs(graph, parseTodaysMessage);
  await using today = await server.connectAs(graph, parseTodaysMessage);
  await using seed = await server.connect(graph);
  const failing = entry("save-block", [
    "~:db/add",
    lookup(crypto.randomUUID()),
    "~:block/title",
    "x",
  ]);
  const txs = [make("a"), make("b"), failing];
  const answer = await sender.ask({ "type": "tx/batch", "t-before": 0, txs });
  assert.equal(answer.type, "tx/reject");
  assert.deepEqual(await today.next(), { type: "changed", t: 2 });
  assert.deepEqual(await seed.next(), { type: "changed", t: 2 });
  await sender.ask({ "type": "tx/batch", "t-before": 2, "txs": [entry("save-block")] });
  for (const socket of [sender, today, seed]) assert.deepEqual(await socket.untilPong(), []);
});

Deno.test("An answer that was lost is given again to a new socket, and the entries are applied once", async () => {
  await using server = await startServer();
  const graph = await server.createTodaysGraph();
  const batch = { "type": "tx/batch", "t-before": 0, "txs": [make("a"), make("b")] };
  const other = await server.connectAs(graph, parseTodaysMessage);
  const lost = await server.connectAs(graph, parseTodaysMessage);
  lost.send(batch);
  // It is stored, and nobody hears of it.
  assert.deepEqual(await other.next(), { type: "changed", t: 2 });
  lost.cut();
  await using back = await server.connectAs(graph, parseTodaysMessage);
  const again = await back.ask(batch);
  assert.ok(again.type === "tx/batch/ok" && again.t === 2);
  // As a client does that has pulled what was its own.
  const later = await back.ask({ ...batch, "t-before": 2 });
  assert.deepEqual(later, again);
  await other.ask({ "type": "tx/batch", "t-before": 2, "txs": [make("c")] });
  assert.deepEqual(await back.next(), { type: "changed", t: 3 });
  // And is told of what came since, though it was told before.
  assert.deepEqual(await back.ask(batch), { type: "tx/batch/ok", t: 2 });
  assert.deepEqual(await back.next(), { type: "changed", t: 3 });
  const pulled = await back.ask({ type: "pull" });
  assert.ok(pulled.type === "pull/ok");
  assert.equal(pulled.txs.length, 3);
  await other[Symbol.asyncDispose]();
});

Deno.test("A graph that only the seed's clients use is told to them exactly as ever", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  await using socket = await server.connect(graph); // strict
  assert.deepEqual(await socket.ask(hello), { type: "hello", t: 0 });
  await socket.ask({ type: "tx/batch", t_before: 0, txs: [blockTx(crypto.randomUUID(), "a")] });
  const pulled = await socket.ask({ type: "pull" });
  assert.ok(pulled.type === "pull/ok");
  assert.deepEqual(Object.keys(pulled.txs[0] ?? {}), ["t", "tx"]);
});

Deno.test("A graph of the seed's that one of today's has written to is told to both as each needs it", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  await using seed = await server.connectAs(graph, parseOpenly);
  await using today = await server.connectAs(graph, parseTodaysMessage);
  await seed.ask({ type: "tx/batch", t_before: 0, txs: [blockTx(crypto.randomUUID(), "a")] });
  await today.next();
  await today.ask({ "type": "tx/batch", "t-before": 1, "txs": [make("b")] });
  await seed.next();
  const pulled = pullOkSchema.parse(await today.ask({ type: "pull" }));
  assert.deepEqual(pulled.txs.map((tx) => tx["outliner-op"]), [null, "insert-blocks"]);
  const seeds = await seed.ask({ type: "pull" });
  assert.ok(seeds.type === "pull/ok");
  assert.deepEqual(seeds.txs, pulled.txs.map(({ t, tx }) => ({ t, tx })));
  assert.deepEqual(await seed.ask(hello), { type: "hello", t: 2 });
  const { checksum } = pulled;
  assert.deepEqual(await today.ask(hello), { type: "hello", t: 2, checksum });
});

Deno.test("checksum/diagnostics says what the checksum is, and of what", async () => {
  await using server = await startServer();
  const graph = await server.createTodaysGraph();
  const path = `/sync/${graph}/checksum/diagnostics`;
  const attrs = [
    "block/uuid",
    "block/parent",
    "block/page",
    "block/order",
    "block/title",
    "block/name",
  ];
  assert.deepEqual(await server.call(path), {
    status: 200,
    body: { "checksum": EMPTY, "e2ee?": false, attrs, "blocks": [] },
  });
  const [page, block] = [crypto.randomUUID(), crypto.randomUUID()];
  const txs = [
    make("home", page),
    entry("insert-blocks", ...newBlock(block, "é", ["~:block/page", lookup(page)])),
  ];
  const { body } = await server.call(`/sync/${graph}/tx/batch`, { json: { "t-before": 0, txs } });
  const told = diagnosticsAnswerSchema.parse((await server.call(path)).body);
  assert.deepEqual(told.checksum, entriesOkSchema.parse(body).checksum);
  assert.deepEqual(told.blocks, [
    { "block/name": "home", "block/title": "home", "block/uuid": page },
    { "block/page": page, "block/title": "é", "block/uuid": block },
  ]);
  assert.equal((await server.call(path, { as: "bob" })).status, 403);
});

Deno.test("Diagnostics of a graph that was uploaded cover all of it", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  await upload(server, graph, readRows("medium-a"));
  const { body } = await server.call(`/sync/${graph}/checksum/diagnostics`);
  const told = diagnosticsAnswerSchema.parse(body);
  assert.ok(told.blocks.length > 1000);
  const json = { "t-before": 0, "txs": [make("a page")] };
  const answer = await server.call(`/sync/${graph}/tx/batch`, { json });
  const after = diagnosticsAnswerSchema.parse(
    (await server.call(`/sync/${graph}/checksum/diagnostics`)).body,
  );
  assert.equal(after.blocks.length, told.blocks.length + 1);
  assert.notEqual(after.checksum, told.checksum);
  assert.equal(entriesOkSchema.parse(answer.body).checksum, after.checksum);
});
