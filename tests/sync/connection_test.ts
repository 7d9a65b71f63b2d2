import assert from "node:assert/strict";
import {
  type Checksum,
  type Generation,
  newGeneration,
  newGraphId,
  nextT,
  parseChecksum,
  parseUserId,
  type T,
  T_ZERO,
} from "../../protocol/ids.ts";
import { reject } from "../../protocol/reject.ts";
import { parseServerMessage, type ServerMessage } from "../../protocol/server_message.ts";
import type { Reached } from "../../protocol/today/server_message.ts";
import type { OnlineUsers } from "../../protocol/today/presence.ts";
import {
  Connection,
  CONNECTION_LIMITS,
  type ConnectionHooks,
  type ConnectionLimits,
  FRAME_BYTES,
  type SyncOperations,
} from "../../sync/connection.ts";
import type { Share, Socket } from "../../sync/outbox.ts";
import type { PulledLog } from "../../sync/pull_answer.ts";
import { until, within } from "../support/deadline.ts";
import { UNSHARED } from "../support/share.ts";
import { version } from "../support/ids.ts";

/** Stands in for the platform's socket: keeps what was sent, in order. */
class FakeSocket implements Socket {
  readyState: number = WebSocket.OPEN;
  unread = 0;
  /** Called whenever the buffer is looked at. */
  onLook: () => void = () => {};
  throwOnSend = false;
  closed: { code?: number; reason?: string } | undefined;
  readonly #sent: ServerMessage[] = [];
  #wake: (() => void) | undefined;

  get bufferedAmount(): number {
    this.onLook();
    return this.unread;
  }
  send(data: unknown): void {
    if (this.throwOnSend) throw new DOMException("not open", "InvalidStateError");
    assert.ok(typeof data === "string");
    this.#sent.push(parseServerMessage(data));
    this.#wake?.();
  }
  close(code?: number, reason?: string): void {
    this.closed = { ...code !== undefined && { code }, ...reason !== undefined && { reason } };
    this.readyState = WebSocket.CLOSING;
  }
  async take(count: number): Promise<ServerMessage[]> {
    while (this.#sent.length < count) {
      await within(new Promise<void>((resolve) => this.#wake = resolve), `message ${count}`);
    }
    return this.#sent.splice(0);
  }
  get sent(): readonly ServerMessage[] {
    return this.#sent;
  }
}

const graph = newGraphId();

function checksumOf(text: string): Checksum {
  const checksum = parseChecksum(text);
  assert.ok(checksum !== undefined);
  return checksum;
}

const LOG = newGeneration();

function at(t: number): Reached & { readonly log: Generation } {
  return { t: version(t), log: LOG };
}

function logOf(t: number): PulledLog {
  async function* entries(): AsyncGenerator<readonly { t: T; json: Uint8Array }[]> {
    for (let i = 1; i <= t; i++) {
      yield [{ t: version(i), json: new TextEncoder().encode(`{"t":${i},"tx":"[\\"ü${i}\\"]"}`) }];
    }
    await Promise.resolve();
  }
  return { t: version(t), entries: entries() };
}

interface Bench {
  readonly socket: FakeSocket;
  readonly connection: Connection;
  /** Counts calls of `onGone`. */
  readonly gone: { count: number };
  say(message: unknown): void;
}

function bench(
  operations?: Partial<SyncOperations>,
  limits?: Partial<ConnectionLimits>,
  hooks?: Partial<ConnectionHooks>,
): Bench {
  const socket = new FakeSocket();
  const gone = { count: 0 };
  const connection = new Connection(
    socket,
    graph,
    {
      version: () => Promise.resolve(at(3)),
      pull: (_graph, since) => Promise.resolve(logOf(since + 2)),
      txBatch: (_graph, batch) =>
        Promise.resolve({ type: "tx/batch/ok", t: nextT(batch.t_before) }),
      txEntries: (_graph, batch) =>
        Promise.resolve({ type: "tx/batch/ok", t: nextT(batch.tBefore) }),
      speaksToday: () => {},
      edit: () => {},
      ...operations,
    },
    {
      turn: () => Promise.resolve(),
      share: UNSHARED,
      unread: UNSHARED,
      pulling: (pull) => pull(),
      onEnd: () => {},
      onGone: () => gone.count++,
      ...hooks,
    },
    { ...CONNECTION_LIMITS, ...limits },
  );
  return {
    socket,
    connection,
    gone,
    say: (message) => connection.receive(JSON.stringify(message)),
  };
}

/** A promise that a test settles. */
function gate(): { readonly opened: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}

/** Answers when the gate is open. */
function behind<Value>({ opened }: ReturnType<typeof gate>, value: Value): () => Promise<Value> {
  return () => opened.then(() => value);
}

/** From now on the client reads nothing of what it is sent. */
function leaveUnread(socket: FakeSocket, bytes: number): void {
  const send = socket.send.bind(socket);
  socket.send = (data) => {
    send(data);
    socket.unread = bytes;
  };
}

/** One turn of the event loop: all that is ready to happen has happened. */
function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

Deno.test("A frame whose turn comes when its socket is closed is not dealt with", async () => {
  const { opened, open } = gate();
  let stored = 0;
  const { connection, say, gone } = bench(
    {
      txBatch: (_graph, { t_before }) => {
        stored++;
        return Promise.resolve({ type: "tx/batch/ok", t: nextT(t_before) });
      },
    },
    {},
    { turn: () => opened },
  );
  say({ type: "tx/batch", t_before: 0, txs: ["[]"] });
  await turn();
  connection.close({ code: 4403, reason: "forbidden" });
  connection.gone();
  open();
  await turn();
  assert.deepEqual([stored, gone.count], [0, 1]);
});

Deno.test("Each message has its answer", async () => {
  const { socket, say } = bench();
  say({ type: "hello", client: "repo" });
  say({ type: "ping" });
  say({ type: "pull", since: 0 });
  say({ type: "tx/batch", t_before: 3, txs: [] });
  assert.deepEqual(await socket.take(4), [
    { type: "hello", t: 3 },
    { type: "pong" },
    { type: "pull/ok", t: 2, txs: [{ t: 1, tx: '["ü1"]' }, { t: 2, tx: '["ü2"]' }] },
    { type: "tx/batch/ok", t: 4 },
  ]);
});

Deno.test("A batch goes in with its graph and its sender", async () => {
  const calls: unknown[] = [];
  const { socket, connection, say } = bench({
    txBatch: (...args) => {
      calls.push(args);
      return Promise.resolve(reject.stale(T_ZERO));
    },
  });
  say({ type: "tx/batch", t_before: 3, txs: ["[]"] });
  assert.deepEqual(await socket.take(1), [{ type: "tx/reject", reason: "stale", t: 0 }]);
  assert.deepEqual(calls, [[graph, { type: "tx/batch", t_before: 3, txs: ["[]"] }, connection]]);
});

Deno.test("Frames are dealt with strictly in order, one at a time", async () => {
  const gates = [gate(), gate()];
  const first = gate();
  const started: number[] = [];
  const { socket, say } = bench({
    version: async () => {
      const i = started.length;
      started.push(i);
      first.open();
      await gates[i]?.opened;
      return at(i);
    },
  });
  say({ type: "hello", client: "a" });
  say({ type: "ping" });
  say({ type: "hello", client: "b" });
  say({ type: "ping" });
  await first.opened;
  await turn();
  assert.deepEqual(started, [0]);
  assert.deepEqual(socket.sent, []);
  gates[0]?.open();
  assert.deepEqual(await socket.take(2), [{ type: "hello", t: 0 }, { type: "pong" }]);
  gates[1]?.open();
  assert.deepEqual(await socket.take(2), [{ type: "hello", t: 1 }, { type: "pong" }]);
});

Deno.test("What can't be read is answered in its turn, and the connection goes on", async () => {
  const { socket, connection, say } = bench();
  say({ type: "hello", client: "a" });
  connection.receive("{");
  connection.receive(new ArrayBuffer(4));
  say({ type: "nonsense" });
  say({ type: "pull", since: -1 });
  say({ type: "tx/batch", t_before: 0, txs: 1 });
  say({ type: "ping" });
  assert.deepEqual(await socket.take(7), [
    { type: "hello", t: 3 },
    { type: "error", message: "invalid request" },
    { type: "error", message: "invalid request" },
    { type: "error", message: "unknown type" },
    { type: "error", message: "invalid since" },
    { type: "tx/reject", reason: "invalid tx" },
    { type: "pong" },
  ]);
});

Deno.test("A fault is answered with server error, and the connection goes on", async () => {
  async function* broken(): AsyncGenerator<readonly { t: T; json: Uint8Array }[]> {
    yield [{ t: version(1), json: new TextEncoder().encode('{"t":1,"tx":"[]"}') }];
    await Promise.reject(new Error("chunk missing"));
  }
  const { socket, say } = bench({
    version: () => Promise.reject(new Error("KV is away")),
    pull: () => Promise.resolve({ t: version(2), entries: broken() }),
    txBatch: () => {
      throw new Error("thrown before there was a promise");
    },
  });
  say({ type: "hello", client: "a" });
  say({ type: "pull" });
  say({ type: "tx/batch", t_before: 0, txs: [] });
  say({ type: "ping" });
  const fault = { type: "error", message: "server error" };
  assert.deepEqual(await socket.take(4), [fault, fault, fault, { type: "pong" }]);
});

Deno.test("A fault in a batch of entries closes the socket, as the client would wait after an error", async () => {
  const done = gate();
  const { socket, say } = bench({
    txEntries: () => {
      done.open();
      return Promise.reject(new Error("KV is away"));
    },
  });
  say({ "type": "tx/batch", "t-before": 0, "txs": [{ tx: "[]" }] });
  await done.opened;
  await turn();
  assert.deepEqual(socket.sent, []);
  assert.deepEqual(socket.closed, { code: 1011, reason: "server error" });
});

Deno.test("So does any fault once the client has spoken today's dialect", async () => {
  const away = (): Promise<never> => Promise.reject(new Error("KV is away"));
  for (const message of [{ type: "hello", client: "a" }, { type: "pull", since: 1 }]) {
    const { socket, say } = bench({ version: away, pull: away });
    say({ "type": "presence", "editing-block-uuid": null });
    say(message);
    await turn();
    assert.deepEqual(socket.sent, []);
    assert.deepEqual(socket.closed, { code: 1011, reason: "server error" });
  }
});

Deno.test("And on a graph that today's clients write to, as one that only reads says nothing else", async () => {
  const { socket, say } = bench({
    version: () => Promise.resolve({ ...at(3), checksum: checksumOf("0123456789abcdef") }),
    pull: () => Promise.reject(new Error("KV is away")),
  });
  let sent = 0;
  socket.send = () => void sent++;
  say({ type: "hello", client: "a" });
  say({ type: "pull", since: 1 });
  await turn();
  assert.equal(sent, 1, "the hello's answer alone");
  assert.deepEqual(socket.closed, { code: 1011, reason: "server error" });
});

Deno.test("A batch of entries that reached less than was told is followed by what was told", async () => {
  const { socket, connection, say } = bench();
  connection.changed(version(9));
  say({ "type": "tx/batch", "t-before": 3, "txs": [{ tx: "[]" }] });
  assert.deepEqual(await socket.take(3), [
    { type: "changed", t: 9 },
    { type: "tx/batch/ok", t: 4 },
    { type: "changed", t: 9 },
  ]);
});

Deno.test("A graph that is no more closes the socket", async () => {
  const done = gate();
  const { socket, say } = bench({
    version: () => {
      done.open();
      return Promise.resolve(undefined);
    },
  });
  say({ type: "hello", client: "a" });
  say({ type: "ping" });
  await done.opened;
  await turn();
  assert.deepEqual(socket.closed, { code: 4404, reason: "graph deleted" });
  assert.deepEqual(socket.sent, []);
});

Deno.test("News is told once for each version, and never of an older one", () => {
  const { socket, connection } = bench();
  for (const t of [1, 1, 3, 2, 3, 4]) connection.changed(version(t));
  assert.deepEqual(socket.sent.map((message) => "t" in message && message.t), [1, 3, 4]);
});

Deno.test("News of a version that an answer has told is not told again", async () => {
  const { socket, connection, say } = bench();
  say({ type: "hello", client: "a" });
  await socket.take(1);
  connection.changed(version(3));
  say({ type: "tx/batch", t_before: 4, txs: [] });
  await socket.take(1);
  connection.changed(version(5));
  connection.changed(version(4));
  assert.deepEqual(socket.sent, []);
  connection.changed(version(6));
  assert.deepEqual(socket.sent, [{ type: "changed", t: 6 }]);
});

Deno.test("News that comes while a frame is dealt with follows its answer", async () => {
  const wait = gate();
  const { socket, connection, say } = bench({
    version: behind(wait, at(5)),
  });
  say({ type: "hello", client: "a" });
  connection.changed(version(6));
  connection.changed(version(7));
  assert.deepEqual(socket.sent, []);
  wait.open();
  assert.deepEqual(await socket.take(2), [{ type: "hello", t: 5 }, { type: "changed", t: 7 }]);
});

Deno.test("A message above the limit closes the socket with 1009", () => {
  const { socket, connection } = bench({}, { maxMessageBytes: 20 });
  connection.receive("ü".repeat(11));
  assert.deepEqual(socket.closed, { code: 1009, reason: "message too large" });
  const fine = bench({}, { maxMessageBytes: 20 });
  fine.connection.receive("ü".repeat(10));
  assert.equal(fine.socket.closed, undefined);
});

Deno.test("More waiting frames than the limit close the socket with 1008", () => {
  const never = new Promise<never>(() => {});
  const flooding = { code: 1008, reason: "too many frames waiting" };
  const frames = bench({ version: () => never }, { maxWaitingFrames: 2 });
  frames.say({ type: "hello", client: "a" });
  frames.say({ type: "ping" });
  frames.say({ type: "ping" });
  assert.equal(frames.socket.closed, undefined);
  frames.say({ type: "ping" });
  assert.deepEqual(frames.socket.closed, flooding);
});

/** So many bytes, and how many are held. */
function shareOf(most: number): Share & { readonly held: () => number } {
  let held = 0;
  return {
    hold: (bytes) => held + bytes <= most && (held += bytes) > 0,
    release: (bytes) => held -= bytes,
    held: () => held,
  };
}

Deno.test("A frame beyond its user's share of memory closes the socket with 1008", () => {
  const never = new Promise<never>(() => {});
  const share = shareOf(60 + 2 * FRAME_BYTES);
  const [one, other] = [0, 1].map(() => bench({ version: () => never }, {}, { share }));
  assert.ok(one !== undefined && other !== undefined);
  one.say({ type: "hello", client: "a" }); // 29 bytes
  other.say({ type: "hello", client: "a" });
  assert.equal(other.socket.closed, undefined);
  one.say({ type: "ping" });
  assert.deepEqual(one.socket.closed, { code: 1008, reason: "too many frames waiting" });
  assert.equal(other.socket.closed, undefined);
});

Deno.test("Frames that say nothing take their user's share of memory, too", () => {
  const share = shareOf(2 * FRAME_BYTES);
  const never = new Promise<never>(() => {});
  const { connection, socket } = bench({}, {}, { share, turn: () => never });
  for (const data of ["", new Blob()]) connection.receive(data);
  assert.equal(socket.closed, undefined);
  connection.receive("");
  assert.deepEqual(socket.closed, { code: 1008, reason: "too many frames waiting" });
});

Deno.test("A frame is held until it is dealt with, or will never be", async () => {
  const share = shareOf(1000);
  const opened = gate();
  const { socket, say } = bench(
    {
      version: behind(opened, at(3)),
    },
    {},
    { share },
  );
  say({ type: "hello", client: "a" });
  say({ type: "ping" });
  assert.equal(share.held(), 29 + 15 + 2 * FRAME_BYTES);
  opened.open();
  await socket.take(2);
  await within(until(() => share.held() === 0), "no frame held");

  const asked = gate();
  const version = (): Promise<never> => {
    asked.open();
    return new Promise(() => {});
  };
  const never = bench({ version }, {}, { share });
  never.say({ type: "hello", client: "a" });
  never.say({ type: "ping" });
  await asked.opened;
  never.connection.gone();
  assert.equal(share.held(), 29 + FRAME_BYTES, "one is still being dealt with");

  const failing = bench({}, {}, { turn: () => Promise.reject(new Error("no turn")), share });
  failing.say({ type: "ping" });
  failing.say({ type: "ping" });
  await within(until(() => share.held() === 29 + FRAME_BYTES), "the first alone");
  assert.deepEqual(failing.socket.closed, { code: 1011, reason: "server error" });
});

Deno.test("No frame is dealt with while the client does not read", async () => {
  const { socket, say } = bench({}, { maxUnreadBytes: 100 });
  socket.unread = 101;
  let looks = 0;
  const looked = gate();
  socket.onLook = () => {
    if (++looks === 3) looked.open();
  };
  say({ type: "ping" });
  await within(looked.opened, "three looks at the buffer");
  assert.deepEqual(socket.sent, []);
  socket.unread = 100;
  assert.deepEqual(await socket.take(1), [{ type: "pong" }]);
});

Deno.test("News waits, the last of it, while the client does not read", async () => {
  const { socket, connection } = bench({}, { maxUnreadBytes: 100 });
  socket.unread = 101;
  connection.changed(version(4));
  connection.changed(version(5));
  await turn();
  assert.deepEqual(socket.sent, []);
  socket.unread = 100;
  assert.deepEqual(await socket.take(1), [{ type: "changed", t: 5 }]);
});

const STALLING = { maxUnreadBytes: 100, maxStalledBytes: 100, stallMs: 60 };

Deno.test("A client that takes nothing of a long answer gets 1013", async () => {
  const { socket, say } = bench({}, STALLING);
  const closed = gate();
  const close = socket.close.bind(socket);
  socket.close = (code, reason) => {
    close(code, reason);
    closed.open();
  };
  say({ type: "ping" });
  socket.unread = 101;
  await within(closed.opened, "the socket to be closed");
  assert.deepEqual(socket.closed, { code: 1013, reason: "too slow a reader" });
});

Deno.test("A client that takes a long answer slowly keeps its socket", async () => {
  const { socket, say } = bench({}, STALLING);
  say({ type: "ping" });
  socket.unread = 500;
  // It reads a little between two looks, for far longer than the stall that is allowed.
  socket.onLook = () => void (socket.unread -= 5);
  say({ type: "ping" });
  assert.equal((await socket.take(2)).length, 2);
  assert.equal(socket.closed, undefined);
});

Deno.test("A client that takes nothing of a shorter one keeps its socket", async () => {
  const { socket, say } = bench({}, { ...STALLING, maxStalledBytes: 101 });
  socket.unread = 101;
  const since = performance.now();
  const looked = gate();
  socket.onLook = () => {
    if (performance.now() - since > 3 * STALLING.stallMs) looked.open();
  };
  say({ type: "ping" });
  await within(looked.opened, "more than the stall that is allowed");
  assert.equal(socket.closed, undefined);
  socket.unread = 100;
  assert.deepEqual(await socket.take(1), [{ type: "pong" }]);
});

Deno.test("A pull is done in its turn, which ends when its answer has been read", async () => {
  const events: string[] = [];
  const inTurn = gate();
  const pulling: ConnectionHooks["pulling"] = async (pull) => {
    await inTurn.opened;
    await pull();
    events.push("turn ended");
  };
  const pull = (): Promise<PulledLog> => {
    events.push("pulled");
    return Promise.resolve(logOf(2));
  };
  const { socket, say } = bench({ pull }, { maxUnreadBytes: 100 }, { pulling });
  say({ type: "pull", since: 0 });
  await turn();
  assert.equal(events.length, 0);
  leaveUnread(socket, 101);
  inTurn.open();
  await socket.take(1);
  const looked = gate();
  socket.onLook = looked.open;
  await within(looked.opened, "a look at what is unread");
  assert.deepEqual(events, ["pulled"]);
  socket.unread = 100;
  await within(until(() => events.length > 1), "the end of its turn");
  assert.deepEqual(events, ["pulled", "turn ended"]);
});

Deno.test("The turn of a pull ends too when its client has stopped reading, and keeps its socket", async () => {
  const ended = gate();
  const pulling: ConnectionHooks["pulling"] = async (pull) => {
    await pull();
    ended.open();
  };
  const limits = { ...STALLING, maxStalledBytes: 1000 };
  const { socket, say } = bench({}, limits, { pulling });
  leaveUnread(socket, 1000);
  say({ type: "pull", since: 0 });
  say({ type: "ping" });
  await within(ended.opened, "the end of its turn");
  assert.equal(socket.closed, undefined);
  assert.equal(socket.sent.length, 1, "nothing more until it reads");
  socket.unread = 0;
  assert.deepEqual((await socket.take(2)).at(1), { type: "pong" });
});

Deno.test("An answer beyond what its user may leave unread closes the socket with 1013", async () => {
  const unread = shareOf(100);
  const [asleep, other] = [0, 1].map(() => bench({}, { maxUnreadBytes: 50 }, { unread }));
  assert.ok(asleep !== undefined && other !== undefined);
  leaveUnread(asleep.socket, 51);
  asleep.say({ type: "pull", since: 0 });
  await asleep.socket.take(1);
  const held = unread.held();
  assert.ok(held > 50);
  other.say({ type: "pull", since: 0 });
  await within(until(() => other.socket.closed !== undefined), "the end of the socket");
  assert.deepEqual(other.socket.closed, { code: 1013, reason: "too slow a reader" });
  assert.deepEqual(other.socket.sent, []);
  assert.equal(unread.held(), held, "what was refused was not taken");
  asleep.socket.unread = 0;
  await within(until(() => unread.held() === 0), "what was read is given back");
});

Deno.test("A socket that is closed with an answer unread holds it until it is gone", async () => {
  const unread = shareOf(100);
  const limits = { ...STALLING, maxStalledBytes: 100, maxUnreadBytes: 50 };
  const { socket, connection, say } = bench(
    {},
    limits,
    { unread },
  );
  leaveUnread(socket, 101);
  say({ type: "pull", since: 0 });
  await within(until(() => socket.closed !== undefined), "the end of the socket");
  assert.equal(socket.closed?.code, 1013);
  await turn();
  assert.ok(unread.held() > 50);
  connection.gone();
  connection.gone();
  assert.equal(unread.held(), 0);
});

Deno.test("An answer that is made for a socket that has gone is not held", async () => {
  const unread = shareOf(100);
  const asked = gate();
  const made = gate();
  const pull = async (): Promise<PulledLog> => {
    asked.open();
    await made.opened;
    return logOf(2);
  };
  const { connection, gone, say } = bench(
    { pull },
    {},
    { unread },
  );
  say({ type: "pull", since: 0 });
  await asked.opened;
  connection.gone();
  made.open();
  await within(until(() => gone.count === 1), "the end of the connection");
  assert.equal(unread.held(), 0);
});

Deno.test("A client that was told a version of another log is told of the reset", async () => {
  const { socket, connection, say } = bench();
  say({ type: "hello", client: "a" });
  await socket.take(1);
  connection.compare(version(9), LOG);
  assert.deepEqual(await socket.take(1), [{ type: "changed", t: 9 }]);
  connection.remind(version(9), newGeneration());
  assert.equal(socket.closed?.code, 1012);
});

Deno.test("A version that may be old news is told to who was told an older one alone", async () => {
  const { socket, connection, say } = bench();
  connection.compare(version(9), LOG);
  assert.deepEqual(socket.sent, []);
  say({ type: "hello", client: "a" });
  assert.deepEqual(await socket.take(1), [{ type: "hello", t: 3 }]);
  connection.compare(version(3), LOG);
  connection.compare(version(9), LOG);
  connection.compare(version(9), LOG);
  assert.deepEqual(await socket.take(1), [{ type: "changed", t: 9 }]);
});

Deno.test("Who is reminded is told the version that he knows again, a later one as news, and no older one", async () => {
  const { socket, connection, say } = bench();
  connection.remind(version(3), LOG);
  assert.deepEqual(socket.sent, []);
  say({ type: "hello", client: "a" });
  assert.deepEqual(await socket.take(1), [{ type: "hello", t: 3 }]);
  for (const t of [3, 2, 9, 3, 9]) connection.remind(version(t), LOG);
  const told = await socket.take(3);
  assert.deepEqual(told, [3, 9, 9].map((t) => ({ type: "changed", t })));
});

Deno.test("A connection that is left answers what has come in, and takes no more", async () => {
  const wait = gate();
  const { socket, connection, say } = bench({
    version: behind(wait, at(1)),
  });
  say({ type: "hello", client: "a" });
  say({ type: "tx/batch", t_before: 1, txs: ["[]"] });
  connection.leave({ code: 1001, reason: "bye" });
  connection.leave({ code: 1012, reason: "again" });
  say({ type: "ping" });
  assert.equal(socket.closed, undefined);
  wait.open();
  await turn();
  assert.deepEqual(socket.sent, [{ type: "hello", t: 1 }, { type: "tx/batch/ok", t: 2 }]);
  assert.deepEqual(socket.closed, { code: 1001, reason: "bye" });
});

Deno.test("An idle connection that is left closes at once", () => {
  const { socket, connection } = bench();
  connection.leave({ code: 1001, reason: "bye" });
  assert.deepEqual(socket.closed, { code: 1001, reason: "bye" });
});

Deno.test("A closed connection deals with nothing more and says nothing more", async () => {
  const wait = gate();
  let batches = 0;
  const { socket, connection, say } = bench({
    version: behind(wait, at(1)),
    txBatch: () => {
      batches++;
      return Promise.resolve(undefined);
    },
  });
  say({ type: "hello", client: "a" });
  say({ type: "tx/batch", t_before: 0, txs: [] });
  connection.close({ code: 1001, reason: "bye" });
  connection.close({ code: 1012, reason: "again" });
  connection.changed(version(9));
  say({ type: "ping" });
  wait.open();
  await turn();
  assert.deepEqual(socket.closed, { code: 1001, reason: "bye" });
  assert.deepEqual(socket.sent, []);
  assert.equal(batches, 0);
});

Deno.test("The end of a socket is told once, after the frame that was being dealt with", async () => {
  const idle = bench();
  idle.connection.gone();
  idle.connection.gone();
  assert.equal(idle.gone.count, 1);

  const wait = gate();
  const busy = bench({
    version: behind(wait, at(1)),
  });
  busy.say({ type: "hello", client: "a" });
  busy.connection.gone();
  assert.equal(busy.gone.count, 0);
  wait.open();
  await turn();
  assert.equal(busy.gone.count, 1);
  busy.connection.gone();
  assert.equal(busy.gone.count, 1);
});

Deno.test("A socket that throws on send does no harm", async () => {
  const { socket, connection, say } = bench();
  socket.throwOnSend = true;
  say({ type: "ping" });
  connection.changed(version(1));
  await turn();
  socket.throwOnSend = false;
  say({ type: "ping" });
  assert.deepEqual(await socket.take(1), [{ type: "pong" }]);
});

function textOf(news: OnlineUsers): string {
  return JSON.stringify(news);
}

Deno.test("News of people goes out at once; who has much unread gets the whole of it later, once", async () => {
  const alice = parseUserId("alice");
  assert.ok(alice !== undefined);
  const { connection, socket } = bench();
  const online = (count: number): OnlineUsers => ({
    "type": "online-users",
    "online-users": Array.from({ length: count }, () => ({ "user-id": alice })),
  });
  connection.people(textOf(online(1)), () => textOf(online(9)));
  assert.deepEqual(socket.sent, [online(1)]);
  socket.unread = CONNECTION_LIMITS.maxUnreadBytes + 1;
  connection.people(textOf(online(2)), () => textOf(online(8)));
  connection.people(textOf(online(3)), () => textOf(online(7)));
  assert.deepEqual(socket.sent, [online(1)]);
  socket.unread = 0;
  assert.deepEqual(await socket.take(2), [online(1), online(7)]);
});

Deno.test("News of people that was late is told once", async () => {
  const { connection, socket, say } = bench();
  const none: OnlineUsers = { "type": "online-users", "online-users": [] };
  socket.unread = CONNECTION_LIMITS.maxUnreadBytes + 1;
  connection.people(textOf(none), () => textOf(none));
  socket.unread = 0;
  assert.deepEqual(await socket.take(1), [none]);
  say({ type: "ping" });
  await turn();
  assert.deepEqual(socket.sent, [{ type: "pong" }]);
});

Deno.test("News of people to one who doesn't read has no frame dealt with before the one that is", async () => {
  const [wait, asked] = [gate(), gate()];
  const { connection, socket, say } = bench({
    version: async () => {
      asked.open();
      await wait.opened;
      return at(3);
    },
  });
  const none: OnlineUsers = { "type": "online-users", "online-users": [] };
  say({ type: "hello", client: "a" });
  say({ type: "ping" });
  await asked.opened;
  socket.unread = CONNECTION_LIMITS.maxUnreadBytes + 1;
  // It has read all when it is looked at again.
  let looks = 0;
  socket.onLook = () => {
    if (++looks === 2) socket.unread = 0;
  };
  connection.people(textOf(none), () => textOf(none));
  await turn();
  assert.deepEqual(socket.sent, []);
  wait.open();
  assert.deepEqual(await socket.take(3), [{ type: "hello", t: 3 }, none, { type: "pong" }]);
});

Deno.test("No frame is dealt with before the answer to the one before is read, or nearly", async () => {
  const { socket, say } = bench({}, { maxUnreadBytes: 100 });
  const send = socket.send.bind(socket);
  const looked = gate();
  let looks = 0;
  socket.send = (data) => {
    send(data);
    socket.unread = 101;
    socket.onLook = () => {
      if (++looks === 3) looked.open();
    };
  };
  say({ type: "hello", client: "a" });
  say({ type: "ping" });
  await within(looked.opened, "three looks at the buffer");
  assert.deepEqual(socket.sent, [{ type: "hello", t: 3 }]);
  socket.unread = 100;
  assert.deepEqual((await socket.take(2)).at(1), { type: "pong" });
});

Deno.test("News is told between two frames: those that go on coming don't keep it", async () => {
  const wait = gate();
  const { connection, socket, say } = bench({
    version: behind(wait, at(3)),
  });
  say({ type: "hello", client: "a" });
  say({ type: "ping" });
  // The later one, though it came first.
  connection.changed(version(9));
  connection.changed(version(8));
  wait.open();
  assert.deepEqual(await socket.take(3), [
    { type: "hello", t: 3 },
    { type: "changed", t: 9 },
    { type: "pong" },
  ]);
});

Deno.test("News that comes before an answer that tells the same is not told again", async () => {
  const wait = gate();
  const { connection, socket, say } = bench({
    pull: async () => {
      await wait.opened;
      return logOf(2);
    },
  });
  say({ type: "pull" });
  connection.changed(version(2));
  wait.open();
  assert.equal((await socket.take(1))[0]?.type, "pull/ok");
  say({ type: "ping" });
  assert.deepEqual(await socket.take(1), [{ type: "pong" }]);
});

Deno.test("Who was told that a graph is empty is told of its first version", async () => {
  const { connection, socket, say } = bench({ version: () => Promise.resolve(at(0)) });
  say({ type: "hello", client: "a" });
  await socket.take(1);
  connection.compare(version(1), LOG);
  assert.deepEqual(socket.sent, [{ type: "changed", t: 1 }]);
});

Deno.test("Nobody is reminded between a hello and its answer, nor while he doesn't read", async () => {
  const [wait, asked] = [gate(), gate()];
  const { connection, socket, say } = bench({
    version: async () => {
      asked.open();
      await wait.opened;
      return at(3);
    },
  });
  connection.changed(version(3));
  await socket.take(1);
  say({ type: "hello", client: "a" });
  await asked.opened;
  connection.remind(version(3), LOG);
  assert.deepEqual(socket.sent, []);
  wait.open();
  assert.deepEqual(await socket.take(1), [{ type: "hello", t: 3 }]);
  await turn();
  socket.unread = CONNECTION_LIMITS.maxUnreadBytes + 1;
  connection.remind(version(3), LOG);
  assert.deepEqual(socket.sent, []);
});

Deno.test("A frame that comes to a socket that was closed takes none of its user's share", () => {
  const share = shareOf(1000);
  const { connection, say } = bench({}, {}, { share });
  connection.close({ code: 1001, reason: "bye" });
  say({ type: "ping" });
  say({ type: "ping" });
  assert.equal(share.held(), 0);
});

Deno.test("A socket that throws on close does no harm", () => {
  const { connection, socket, say, gone } = bench();
  socket.close = () => {
    throw new DOMException("not open", "InvalidStateError");
  };
  connection.close({ code: 1001, reason: "bye" });
  say({ type: "ping" });
  connection.gone();
  assert.deepEqual([socket.sent, gone.count], [[], 1]);
});

Deno.test("The end of a socket whose client doesn't read is waited for no longer", async () => {
  const { connection, socket, say, gone } = bench({}, { ...STALLING, maxStalledBytes: 1000 });
  const looked = gate();
  socket.unread = 1000;
  say({ type: "ping" });
  socket.onLook = looked.open;
  await within(looked.opened, "a look at what is unread");
  connection.close({ code: 1001, reason: "bye" });
  connection.gone();
  await within(until(() => gone.count === 1), "its end, though what was unread stays");
});

Deno.test("A client that has taken a part of a long answer, and then nothing, gets 1013", async () => {
  const { socket, say } = bench({}, STALLING);
  say({ type: "ping" });
  socket.unread = 500;
  socket.onLook = () => {
    if (socket.unread > 450) socket.unread -= 5;
  };
  say({ type: "ping" });
  await within(until(() => socket.closed !== undefined), "its end");
  assert.deepEqual(socket.closed, { code: 1013, reason: "too slow a reader" });
});

Deno.test("A pull whose turn comes when its socket is closed is not made", async () => {
  const inTurn = gate();
  let pulls = 0;
  const pull = (): Promise<PulledLog> => {
    pulls++;
    return Promise.resolve(logOf(2));
  };
  const pulling: ConnectionHooks["pulling"] = async (pull) => {
    await inTurn.opened;
    await pull();
  };
  const { connection, say, gone } = bench({ pull }, {}, { pulling });
  say({ type: "pull" });
  await turn();
  connection.gone();
  inTurn.open();
  await within(until(() => gone.count === 1), "its end");
  assert.equal(pulls, 0);
});

Deno.test("Each message to a graph that is no more closes the socket, in whichever dialect", async () => {
  const none = (): Promise<undefined> => Promise.resolve(undefined);
  for (
    const message of [
      { type: "pull" },
      { type: "tx/batch", t_before: 0, txs: [] },
      { "type": "tx/batch", "t-before": 3, "txs": [{ tx: "[]" }] },
    ]
  ) {
    const { socket, say } = bench({ pull: none, txBatch: none, txEntries: none });
    say(message);
    await within(until(() => socket.closed !== undefined), "its end");
    assert.deepEqual(socket.closed, { code: 4404, reason: "graph deleted" });
    assert.deepEqual(socket.sent, []);
  }
});

Deno.test("A batch of entries shows that the client speaks today's dialect, and its answer comes alone", async () => {
  const speaking: unknown[] = [];
  const { connection, socket, say } = bench({ speaksToday: (guest) => void speaking.push(guest) });
  say({ type: "hello", client: "a" });
  say({ "type": "tx/batch", "t-before": 3, "txs": [{ tx: "[]" }] });
  say({ type: "ping" });
  assert.deepEqual(await socket.take(3), [
    { type: "hello", t: 3 },
    { type: "tx/batch/ok", t: 4 },
    { type: "pong" },
  ]);
  assert.deepEqual(speaking, [connection]);
});

Deno.test("A fault after the hello of a client of the seed's is answered, and its socket stays", async () => {
  const { socket, say } = bench({ pull: () => Promise.reject(new Error("KV is away")) });
  say({ type: "hello", client: "a" });
  say({ type: "pull" });
  assert.deepEqual(await socket.take(2), [
    { type: "hello", t: 3 },
    { type: "error", message: "server error" },
  ]);
  assert.equal(socket.closed, undefined);
});
