import assert from "node:assert/strict";
import { newGraphId } from "../../protocol/ids.ts";
import { isUpgrade, openSocket, type SocketGuest, type SocketTimes } from "../../routes/socket.ts";
import { Hub } from "../../sync/hub.ts";
import { until, within } from "../support/deadline.ts";
import { NOTHING_ASKED } from "../support/operations.ts";
import { UNSHARED } from "../support/share.ts";
import { TestSocket } from "../support/socket.ts";

const UPGRADE = [
  "GET / HTTP/1.1",
  "Host: localhost",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "",
  "",
].join("\r\n");

const never = (): Promise<never> => Promise.reject(new Error("was asked"));

Deno.test("A client that goes before its socket is open leaves all the same", async () => {
  const left = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const gone = Promise.withResolvers<void>();
  const hub = new Hub();
  await using server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    async (request) => {
      asked.resolve();
      await gone.promise;
      return openSocket(
        request,
        newGraphId(),
        hub,
        NOTHING_ASKED,
        {
          turn: never,
          share: UNSHARED,
          unread: UNSHARED,
          pulling: never,
          enter: () => () => {},
          leave: left.resolve,
        },
        { openingMs: 50 },
      );
    },
  );
  {
    using tcp = await Deno.connect({ hostname: "127.0.0.1", port: server.addr.port });
    await tcp.write(new TextEncoder().encode(UPGRADE));
    await within(asked.promise, "the request");
  }
  gone.resolve();
  await within(left.promise, "the client to leave");
  await within(until(() => hub.graphs().length === 0), "its socket to be gone");
});

/** A server of one graph's sockets, and what becomes of each guest. */
class Door implements AsyncDisposable {
  readonly hub = new Hub();
  readonly events: string[] = [];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(stay: Pick<SocketGuest, "until">, times?: SocketTimes) {
    const graph = newGraphId();
    this.#server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
      const guest: SocketGuest = {
        ...stay,
        turn: () => Promise.resolve(),
        share: UNSHARED,
        unread: UNSHARED,
        pulling: (pull) => pull(),
        enter: () => {
          this.events.push("entered");
          return () => this.events.push("exit");
        },
        leave: () => this.events.push("left"),
      };
      return openSocket(request, graph, this.hub, NOTHING_ASKED, guest, times);
    });
  }

  get port(): number {
    return this.#server.addr.port;
  }

  connect(): Promise<TestSocket> {
    return TestSocket.open(`ws://127.0.0.1:${this.port}/`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

Deno.test("A socket is in the hub and at its graph from its opening on until it has closed", async () => {
  await using door = new Door({ until: Date.now() + 3_600_000 });
  {
    await using socket = await door.connect();
    assert.deepEqual(await socket.ask({ type: "ping" }), { type: "pong" });
    assert.deepEqual([door.hub.graphs().length, door.events], [1, ["entered"]]);
  }
  await within(until(() => door.events.length > 1), "its end");
  await within(until(() => door.hub.graphs().length === 0), "its socket to be gone");
  assert.deepEqual(door.events, ["entered", "left", "exit"]);
});

Deno.test("A socket ends with the token that opened it, and counts as one of its user's until then", async () => {
  await using door = new Door({ until: Date.now() + 1100 }, { openingMs: 1000 });
  await using socket = await door.connect();
  assert.deepEqual(await socket.ask({ type: "ping" }), { type: "pong" });
  const closed = await within(socket.closed, "the end of its token");
  assert.deepEqual(closed, { code: 4401, reason: "token expired" });
  await within(until(() => door.events.includes("exit")), "its end here");
  assert.deepEqual(door.events, ["entered", "left", "exit"]);
});

Deno.test("A socket whose token has no end stays", async () => {
  await using door = new Door({});
  await using socket = await door.connect();
  assert.deepEqual(await socket.ask({ type: "ping" }), { type: "pong" });
  assert.deepEqual(await socket.ask({ type: "ping" }), { type: "pong" });
  assert.deepEqual(door.events, ["entered"]);
});

Deno.test("An upgrade is a GET that has all that the protocol of sockets asks for", () => {
  const headers = {
    "connection": "keep-alive, Upgrade",
    "upgrade": "WebSocket",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
  };
  const asks = (changed: Record<string, string>, method = "GET"): boolean =>
    isUpgrade(new Request("http://localhost/", { method, headers: { ...headers, ...changed } }));
  assert.equal(asks({}), true);
  assert.equal(asks({}, "POST"), false);
  assert.equal(asks({ connection: "keep-alive" }), false);
  assert.equal(asks({ upgrade: "h2c" }), false);
  for (const name of Object.keys(headers)) {
    const others = Object.entries(headers).filter(([other]) => other !== name);
    assert.equal(isUpgrade(new Request("http://localhost/", { headers: others })), false, name);
  }
});

Deno.test("A client that doesn't answer the close is no listener after a while, but has its seat until it is gone", async () => {
  await using door = new Door({}, { closingMs: 20 });
  {
    using tcp = await Deno.connect({ hostname: "127.0.0.1", port: door.port });
    await tcp.write(new TextEncoder().encode(UPGRADE));
    await within(until(() => door.events.includes("entered")), "the socket to open");
    door.hub.closeEverything({ code: 4403, reason: "no longer a member" });
    await within(until(() => door.events.includes("exit")), "the end of its listening");
    assert.deepEqual(door.events, ["entered", "exit"]);
    assert.deepEqual(door.hub.graphs(), []);
  }
  await within(until(() => door.events.includes("left")), "its client to leave");
});

Deno.test("A clock that is set back keeps nobody who doesn't answer the close", async () => {
  await using door = new Door({}, { closingMs: 20 });
  using tcp = await Deno.connect({ hostname: "127.0.0.1", port: door.port });
  await tcp.write(new TextEncoder().encode(UPGRADE));
  await within(until(() => door.events.includes("entered")), "the socket to open");
  const clock = Date.now;
  let setBackMs = 0;
  Date.now = () => clock() - setBackMs;
  try {
    door.hub.closeEverything({ code: 4403, reason: "no longer a member" });
    setBackMs = 3_600_000;
    await within(until(() => door.events.includes("exit")), "the end of its listening");
  } finally {
    Date.now = clock;
  }
});
