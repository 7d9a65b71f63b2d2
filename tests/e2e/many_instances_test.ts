/**
 * Many clients of one graph at several processes, or at one whose store fails: whatever goes wrong,
 * all have one log without gaps, and each accepted batch is in it once.
 */
import assert from "node:assert/strict";
import type { PullOk } from "../../protocol/server_message.ts";
import { pull } from "../support/client.ts";
import { within } from "../support/deadline.ts";
import { Instances } from "../support/instances.ts";
import { NO_FAULTS, seededFaults } from "../support/kv_connect/faults.ts";
import { ACCESS_TOKEN, startConnectServer } from "../support/kv_connect/server.ts";
import { seededRandom } from "../support/seeded_random.ts";
import { LOST, withCommit } from "../support/kv.ts";
import { startServer } from "../support/server.ts";
import { saysId, Writer } from "../support/writer.ts";
import { Folder } from "../support/folder.ts";

const PROCESSES = 3;
const CLIENTS = 30;
const BATCHES_EACH = 3;
/** Longer than anything of it should take on a machine with other work. */
const DEADLINE_MS = 60_000;

/** Writes with all clients at once: so many batches each, and more until the promise settles. */
async function writeAll(writers: readonly Writer[], until?: Promise<unknown>): Promise<void> {
  let ended = until === undefined;
  const noted = until?.finally(() => ended = true);
  await Promise.all(writers.map(async (writer, i) => {
    for (let n = 0; n < BATCHES_EACH || !ended; n++) await writer.write(`client ${i} batch ${n}`);
  }));
  await noted;
}

/** The log has no gap, each batch is in it once, where its client was told, and all have the same. */
function assertOneLog(log: PullOk, writers: readonly Writer[]): void {
  assert.deepEqual(log.txs.map(({ t }) => t), Array.from({ length: log.t }, (_, i) => i + 1));
  const stored = writers.flatMap((writer) => [...writer.stored]);
  assert.equal(log.t, stored.length, "as many entries as accepted batches");
  for (const [id, t] of stored) {
    assert.deepEqual(log.txs.filter(({ tx }) => saysId(tx, id)).map((entry) => entry.t), [t], id);
  }
  for (const writer of writers) assert.deepEqual(writer.log, log.txs);
}

/** Another seed each time; a failure tells which. */
async function withSeed(work: (seed: number) => Promise<void>): Promise<void> {
  const seed = Date.now() % 1_000_000;
  try {
    await work(seed);
  } catch (cause) {
    throw new Error(`It failed with seed ${seed}`, { cause });
  }
}

/** Counts, and lets others wait for a count. */
class Counter {
  #count = 0;
  #waiting: { readonly count: number; readonly resolve: () => void }[] = [];

  readonly add = (): void => {
    this.#count++;
    const due = this.#waiting.filter(({ count }) => count <= this.#count);
    this.#waiting = this.#waiting.filter(({ count }) => count > this.#count);
    for (const { resolve } of due) resolve();
  };

  /** Settles once so many more have been counted. */
  async more(by: number): Promise<void> {
    const count = this.#count + by;
    await new Promise<void>((resolve) => this.#waiting.push({ count, resolve }));
  }
}

interface Run {
  readonly instances: Instances;
  /** By default 30, spread over the processes. */
  readonly clients?: number;
  /** Goes on meanwhile; gets what counts accepted batches. The clients write until it is done. */
  readonly meanwhile?: (accepted: Counter) => Promise<unknown>;
  /** Called when all have written, before the last batch. */
  readonly calm?: () => void;
}

/** All write, then one more batch is told of to all the others, and all have one log. */
async function assertConverge(run: Run): Promise<void> {
  const { instances, clients = CLIENTS, meanwhile, calm } = run;
  const graph = await instances.createGraph();
  const accepted = new Counter();
  await using disposed = new AsyncDisposableStack();
  const writers = Array.from({ length: clients }, (_, i) => {
    // Whoever loses his process comes in at the next one.
    let index = i;
    return disposed.use(new Writer(() => instances.connect(index++, graph), accepted.add));
  });
  await within(writeAll(writers, meanwhile?.(accepted)), "all to write", DEADLINE_MS);
  calm?.();
  await Promise.all(writers.map((writer) => writer.catchUp()));
  const [first, ...others] = writers;
  await first?.write("the last one");
  const { t } = await instances.pull(0, graph);
  await Promise.all(others.map((writer) => writer.untilTold(t)));

  await Promise.all(writers.map((writer) => writer.catchUp()));
  for (let i = 0; i < instances.count; i++) {
    assertOneLog(await instances.pull(i, graph), writers);
  }
}

Deno.test("30 clients at 3 processes over one KV server write, and all have one log with each accepted batch once", async (test) => {
  await using kvServer = startConnectServer();
  const variables = { KV_PATH: kvServer.url, DENO_KV_ACCESS_TOKEN: ACCESS_TOKEN };
  await using instances = await Instances.start(PROCESSES, variables);

  await test.step("when all goes well", () => assertConverge({ instances }));

  await test.step("when the store refuses, delays, loses and breaks off answers, and breaks watches", () =>
    withSeed(async (seed) => {
      const faults = seededFaults(seed, {
        atomic_write: { refuse: 2, delay: 10, lose: 4, cut: 6 },
        snapshot_read: { delay: 5, cut: 1 },
        watch: { refuse: 20, cut: 20 },
      });
      await assertConverge({
        instances,
        meanwhile: async (accepted) => {
          await accepted.more(5);
          kvServer.faults = faults;
          for (let broken = 0; broken < 3; broken++) {
            await accepted.more(15);
            kvServer.breakWatches();
          }
        },
        calm: () => kvServer.faults = NO_FAULTS,
      });
    }));

  await test.step("when one process after the other is killed and replaced", () =>
    assertConverge({
      instances,
      meanwhile: async (accepted) => {
        for (let killed = 0; killed < PROCESSES; killed++) {
          await accepted.more(15);
          await instances.replace(killed);
        }
      },
    }));
});

Deno.test("30 clients at one process have one log, though commits fail, are late, or are made and reported as failed", () =>
  withSeed(async (seed) => {
    const below = seededRandom(seed);
    const lost = Object.values(LOST);
    using store = await Deno.openKv(":memory:");
    const kv = withCommit(store, async (commit) => {
      const drawn = below(10);
      if (drawn === 0) await new Promise((resolve) => setTimeout(resolve, below(20)));
      return await (lost[drawn - 1] ?? ((commit) => commit()))(commit);
    });
    await using server = await startServer({ kv });
    const graph = await server.createGraph();
    await using disposed = new AsyncDisposableStack();
    const writers = Array.from(
      { length: CLIENTS },
      () => disposed.use(new Writer(() => server.connect(graph))),
    );
    await within(writeAll(writers), "all to write", DEADLINE_MS);
    await Promise.all(writers.map((writer) => writer.catchUp()));
    assertOneLog(await pull(server, graph), writers);
  }));

Deno.test("10 clients at 2 processes on one SQLite file have one log, and hear of each other's batches", async () => {
  await using folder = await Folder.make();
  await using instances = await Instances.start(2, { KV_PATH: `${folder.path}/kv.sqlite3` });
  await assertConverge({ instances, clients: 10 });
});
