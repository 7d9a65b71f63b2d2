/** What holds for every way by which news reaches other sockets, whatever is between the servers. */
import assert from "node:assert/strict";
import { byChannel } from "../../sync/channel.ts";
import type { OpenCarrier } from "../../sync/fanout.ts";
import { byWatch } from "../../sync/watch.ts";
import { blockTx } from "../support/forms.ts";
import { startServer, type TestServer } from "../support/server.ts";
import type { TestSocket } from "../support/socket.ts";

const HELLO = { type: "hello", client: "repo" };

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
  "a channel and a watch": twoServers((kv) => [byChannel(crypto.randomUUID()), byWatch(kv)]),
};

function batch(t_before: number): { type: string; t_before: number; txs: string[] } {
  return { type: "tx/batch", t_before, txs: [blockTx(crypto.randomUUID(), `block ${t_before}`)] };
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
}
