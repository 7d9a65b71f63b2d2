/** What holds for every way by which news reaches other sockets, whatever is between the servers. */
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { byChannel } from "../../sync/channel.ts";
import type { OpenCarrier } from "../../sync/fanout.ts";
import { byLooks, byWatch } from "../../sync/watch.ts";
import { blockTx } from "../support/forms.ts";
import { waysOf } from "../../main.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { type TestSocket, UpgradeRefused } from "../support/socket.ts";

const HELLO = { type: "hello", client: "repo" };
const NOTHING_EDITED = { "type": "presence", "editing-block-uuid": null };
const BLOCK = "7a0cbcd5-7bb2-4f7c-9d3f-0f0f6a1f5a4e";
const OTHER_BLOCK = "0e0cbcd5-7bb2-4f7c-9d3f-0f0f6a1f5a4e";

/** Two servers over one store, or one that is both. */
interface Servers extends AsyncDisposable {
  readonly here: TestServer;
  readonly there: TestServer;
}

type OpenServers = () => Promise<Servers>;

const oneServer: OpenServers = async () => {
  const server = await startServer();
  return { here: server, there: server, [Symbol.asyncDispose]: () => server.stop() };
};

function twoServers(waysOf: (kv: Deno.Kv) => readonly OpenCarrier[]): OpenServers {
  return async () => {
    const kv = await Deno.openKv(":memory:");
    const ways = waysOf(kv);
    const [here, there] = [await startServer({ kv, ways }), await startServer({ kv, ways })];
    return {
      here,
      there,
      [Symbol.asyncDispose]: async () => {
        await Promise.all([here.stop(), there.stop()]);
        kv.close();
      },
    };
  };
}

const implementations: Readonly<Record<string, OpenServers>> = {
  "one isolate": oneServer,
  "a channel": twoServers(() => [byChannel(crypto.randomUUID())]),
  "a watch": twoServers((kv) => [byWatch(kv)]),
  "looks": twoServers((kv) => [byLooks(kv, 20)]),
  "a channel and a watch": twoServers((kv) => [byChannel(crypto.randomUUID()), byWatch(kv)]),
};

for (
  const [kvPath, ways] of [
    ["http://127.0.0.1:4512", 2],
    ["https://api.deno.com/v2/databases/x/connect", 2],
    [":assigned:", 2],
    ["data/kv.sqlite3", 2],
    [":memory:", 1],
  ] as const
) {
  Deno.test(`Over ${kvPath} news from elsewhere comes in ${ways} ways`, async () => {
    using kv = await Deno.openKv(":memory:");
    assert.equal(waysOf({ kvPath }, kv).length, ways);
  });
}

function batch(t_before: number): { type: string; t_before: number; txs: string[] } {
  return { type: "tx/batch", t_before, txs: [blockTx(crypto.randomUUID(), `block ${t_before}`)] };
}

/** Whom a socket was told of so far, and what each edits. */
const known = new WeakMap<TestSocket, Record<string, string | null>>();

/** Reads what a client of today is told, until it knows of just these users. */
async function until(
  socket: TestSocket,
  users: Readonly<Record<string, string | null>>,
): Promise<void> {
  const wanted = Object.entries(users).toSorted();
  for (;;) {
    const now = known.get(socket) ?? {};
    if (isDeepStrictEqual(Object.entries(now).toSorted(), wanted)) return;
    const message = await socket.next();
    if (message.type === "online-users") {
      known.set(
        socket,
        Object.fromEntries(
          message["online-users"].map((user) => {
            assert.equal(user.email, `${user["user-id"]}@example.org`);
            return [user["user-id"], user["editing-block-uuid"] ?? null];
          }),
        ),
      );
    } else {
      assert.ok(message.type === "presence", JSON.stringify(message));
      known.set(socket, { ...now, [message["user-id"]]: message["editing-block-uuid"] });
    }
  }
}

/** The versions that a socket is told of, up to this one. */
async function toldUntil(socket: TestSocket, t: number): Promise<readonly number[]> {
  const told: number[] = [];
  while (told.at(-1) !== t) {
    const message = await socket.next();
    assert.ok(message.type === "changed", JSON.stringify(message));
    told.push(message.t);
  }
  return told;
}

for (const [name, open] of Object.entries(implementations)) {
  Deno.test(`${name}: a batch is told to all other sockets of its graph, once`, async () => {
    await using servers = await open();
    const { here, there } = servers;
    const [graph, other] = [await here.createGraph(), await here.createGraph()];
    await using sender = await here.connect(graph);
    await using near = await here.connect(graph);
    await using far = await there.connect(graph);
    await using stranger = await there.connect(other);
    for (const socket of [sender, near, far, stranger]) await socket.ask(HELLO);
    for (const t of [1, 2]) {
      assert.deepEqual(await sender.ask(batch(t - 1)), { type: "tx/batch/ok", t });
      for (const socket of [near, far]) {
        assert.deepEqual(await socket.next(), { type: "changed", t });
      }
    }
    for (const socket of [sender, near, far, stranger]) {
      assert.deepEqual(await socket.untilPong(), []);
    }
  });

  Deno.test(`${name}: of many batches in a row the versions come in order, the last for sure`, async () => {
    await using servers = await open();
    const { here, there } = servers;
    const graph = await here.createGraph();
    await using far = await there.connect(graph);
    await far.ask(HELLO);
    for (let t = 0; t < 30; t++) {
      const { body } = await here.call(`/sync/${graph}/tx/batch`, { json: batch(t) });
      assert.deepEqual(body, { type: "tx/batch/ok", t: t + 1 });
    }
    const told = await toldUntil(far, 30);
    assert.deepEqual(told, [...new Set(told)].toSorted((a, b) => a - b));
    assert.deepEqual(await far.untilPong(), []);
  });

  Deno.test(`${name}: a socket that opens while others write misses nothing`, async () => {
    await using servers = await open();
    const { here, there } = servers;
    const graph = await here.createGraph();
    const writing = (async () => {
      for (let t = 0; t < 40; t++) await here.call(`/sync/${graph}/tx/batch`, { json: batch(t) });
    })();
    await Promise.all(Array.from({ length: 6 }, async () => {
      await using socket = await there.connect(graph);
      socket.send(HELLO);
      let told = -1;
      while (told < 40) {
        const message = await socket.next();
        assert.ok(message.type === "hello" || message.type === "changed");
        assert.ok(message.t > told || message.type === "hello");
        told = message.t;
      }
    }));
    await writing;
  });

  Deno.test(`${name}: a reset and a deletion close the sockets with their reasons`, async () => {
    await using servers = await open();
    const { here, there } = servers;
    const graph = await here.createGraph();
    {
      await using near = await here.connect(graph);
      await using far = await there.connect(graph);
      for (const socket of [near, far]) await socket.ask(HELLO);
      await here.call(`/sync/${graph}/admin/reset`, { method: "DELETE" });
      for (const socket of [near, far]) {
        assert.deepEqual(await socket.closed, { code: 1012, reason: "graph reset" });
      }
    }
    await using near = await here.connect(graph);
    await using far = await there.connect(graph);
    for (const socket of [near, far]) await socket.ask(HELLO);
    await here.call(`/graphs/${graph}`, { method: "DELETE" });
    for (const socket of [near, far]) {
      assert.deepEqual(await socket.closed, { code: 4404, reason: "graph deleted" });
    }
  });

  Deno.test(`${name}: a member who is put out has his sockets closed, and nobody else`, async () => {
    await using servers = await open();
    const { here, there } = servers;
    for (const as of ["bob", "eve"]) await here.call("/graphs", { as });
    const graph = await here.createGraph("alice");
    for (const user of ["bob", "eve"]) {
      await here.call(`/graphs/${graph}/members`, { json: { "user-id": user } });
    }
    await using owner = await there.connect(graph, "alice");
    await using near = await here.connect(graph, "bob");
    await using far = await there.connect(graph, "bob");
    await using onlyFar = await there.connect(graph, "eve");
    for (const socket of [owner, near, far, onlyFar]) await socket.ask(HELLO);
    for (const [user, sockets] of [["eve", [onlyFar]], ["bob", [near, far]]] as const) {
      const path = `/graphs/${graph}/members/${user}`;
      assert.equal((await here.call(path, { method: "DELETE" })).status, 200);
      for (const socket of sockets) {
        assert.deepEqual(await socket.closed, { code: 4403, reason: "no longer a member" });
      }
    }
    assert.deepEqual(await owner.untilPong(), []);
    await assert.rejects(there.connect(graph, "bob"), UpgradeRefused);
  });

  Deno.test(`${name}: three clients hear of each other as they come, edit, are cut off and go`, async () => {
    await using servers = await open();
    const { here, there } = servers;
    for (const as of ["bob", "eve"]) await here.call("/graphs", { as });
    const graph = await here.createGraph("alice");
    for (const user of ["bob", "eve"]) {
      await here.call(`/graphs/${graph}/members`, { json: { "user-id": user } });
    }
    await using alice = await here.connect(graph, "alice");
    await using bob = await there.connect(graph, "bob");
    for (const socket of [alice, bob]) socket.send(NOTHING_EDITED);
    await until(alice, { alice: null, bob: null });
    await until(bob, { alice: null, bob: null });
    await using eve = await there.connect(graph, "eve");
    eve.send({ ...NOTHING_EDITED, "editing-block-uuid": BLOCK });
    for (const socket of [alice, bob, eve]) {
      await until(socket, { alice: null, bob: null, eve: BLOCK });
    }
    alice.send({ ...NOTHING_EDITED, "editing-block-uuid": OTHER_BLOCK });
    await until(bob, { alice: OTHER_BLOCK, bob: null, eve: BLOCK });
    eve.cut();
    for (const socket of [alice, bob]) {
      await until(socket, { alice: OTHER_BLOCK, bob: null });
    }
    alice.send(NOTHING_EDITED);
    await until(bob, { alice: null, bob: null });
  });

  // One server that stops has nobody left to tell.
  if (open !== oneServer) {
    Deno.test(`${name}: who was at a server that stops is gone at once`, async () => {
      await using servers = await open();
      const { here, there } = servers;
      await here.call("/graphs", { as: "bob" });
      const graph = await here.createGraph("alice");
      await here.call(`/graphs/${graph}/members`, { json: { "user-id": "bob" } });
      await using alice = await here.connect(graph, "alice");
      await using bob = await there.connect(graph, "bob");
      await alice.ask(HELLO);
      bob.send(NOTHING_EDITED);
      await until(bob, { alice: null, bob: null });
      await here.stop();
      await until(bob, { bob: null });
    });
  }

  Deno.test(`${name}: a client that says nothing in today's dialect hears of nobody, and is heard of`, async () => {
    await using servers = await open();
    const { here, there } = servers;
    const graph = await here.createGraph("alice");
    await here.call("/graphs", { as: "bob" });
    await here.call(`/graphs/${graph}/members`, { json: { "user-id": "bob" } });
    await using seed = await here.connect(graph, "alice");
    await seed.ask(HELLO);
    await using today = await there.connect(graph, "bob");
    today.send(NOTHING_EDITED);
    await until(today, { alice: null, bob: null });
    assert.deepEqual(await seed.untilPong(), []);
  });
}
