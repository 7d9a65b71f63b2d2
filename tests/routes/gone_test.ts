/** Clients that go before they are answered. */
import assert from "node:assert/strict";
import { openKv } from "../../kv/open.ts";
import { until, within } from "../support/deadline.ts";
import { withMethods } from "../support/kv.ts";
import { sendHead } from "../support/raw_request.ts";
import { startServer, type TestServer } from "../support/server.ts";

/** A store whose reads of keys wait while the gate is shut. */
class Gate {
  readonly kv: Deno.Kv;
  waiting = 0;
  lists = 0;
  #open: Promise<void> = Promise.resolve();
  #release = (): void => {};

  constructor(kv: Deno.Kv) {
    this.kv = withMethods(kv, {
      get: async (key: Deno.KvKey) => {
        await this.#pass();
        return await kv.get(key);
      },
      getMany: async (keys: Deno.KvKey[]) => {
        await this.#pass();
        return await kv.getMany(keys);
      },
      list: (selector: Deno.KvListSelector, options?: Deno.KvListOptions) => {
        this.lists++;
        return kv.list(selector, options);
      },
    });
  }

  shut(): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    [this.#open, this.#release] = [promise, resolve];
  }

  open(): void {
    this.#release();
  }

  async #pass(): Promise<void> {
    this.waiting++;
    await this.#open;
    this.waiting--;
  }
}

/**
 * Sends a request's head, and closes the connection while the server asks the store for it. From then on
 * the store answers.
 */
async function askAndGo(
  server: TestServer,
  gate: Gate,
  path: string,
  headers: readonly string[],
): Promise<void> {
  gate.shut();
  const tcp = await sendHead(server, `GET ${path}`, headers);
  await within(until(() => gate.waiting > 0), "the request to be under way");
  tcp.close();
  // The server hears of it by an event of its own.
  await new Promise((resolve) => setTimeout(resolve, 20));
  gate.open();
}

const UPGRADE = [
  "connection: upgrade",
  "upgrade: websocket",
  "sec-websocket-version: 13",
  "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
] as const;

/** What Linux tells of the sockets of this machine. */
const SOCKETS = "/proc/self/net/tcp";
const hasProc = await Deno.stat(SOCKETS).then(() => true, () => false);
/** The state of a socket that listens (include/net/tcp_states.h). */
const LISTENS = "0A";

/** How many connections the server has open. Other test files have theirs in this process. */
async function connectionsOf(server: TestServer): Promise<number> {
  const port = Number(new URL(server.url).port).toString(16).toUpperCase().padStart(4, "0");
  const sockets = (await Deno.readTextFile(SOCKETS)).trim().split("\n").slice(1);
  return sockets.filter((line) => {
    const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
    // One that no process has open any more has no inode.
    return local?.endsWith(`:${port}`) && state !== LISTENS && inode !== "0";
  }).length;
}

Deno.test({
  name: "A client that goes while its upgrade is being answered costs no file descriptor",
  ignore: !hasProc,
  fn: async () => {
    using kv = await openKv(":memory:");
    const gate = new Gate(kv);
    await using server = await startServer({ kv: gate.kv });
    const graph = await server.createGraph();
    const before = await connectionsOf(server);
    for (let i = 0; i < 10; i++) await askAndGo(server, gate, `/sync/${graph}`, UPGRADE);
    await within(
      until(async () => await connectionsOf(server) < before + 5),
      "the connections to end",
    );
    assert.equal((await server.call("/health", { as: null })).status, 200);
  },
});

Deno.test("No rows are listed for a client that has gone", async () => {
  using kv = await openKv(":memory:");
  const gate = new Gate(kv);
  await using server = await startServer({ kv: gate.kv });
  const graph = await server.createGraph();
  const page = `/sync/${graph}/snapshot/rows`;
  await server.call(page);
  const before = gate.lists;
  await server.call(page);
  const once = gate.lists - before;
  assert.ok(once > 0);
  await askAndGo(server, gate, page, []);
  await server.call(page);
  assert.equal(gate.lists - before, 2 * once);
});
