/** A long log pulled over HTTP, beside a bare list of what is kept of it, put together. */
import { Buffer } from "node:buffer";
import type { KvSet } from "../kv/change.ts";
import { writeInCommits } from "../kv/commit.ts";
import { commitHead, readHead } from "../kv/head.ts";
import { entriesPrefix } from "../kv/keys.ts";
import { LIST_BATCH } from "../kv/limits.ts";
import { entryChange } from "../kv/txlog.ts";
import { type GraphId, nextT, T_ZERO } from "../protocol/ids.ts";
import { readBatches } from "../tests/support/fixtures.ts";
import { Beside } from "./beside.ts";
import { openServer } from "./program.ts";
import type { Result } from "./result.ts";

const ENTRIES = 100_000;
/** Entries of small batches have fewer characters: half of those that were recorded. */
const SMALL = 1000;
const ROUNDS = 3;

export async function pull(): Promise<readonly Result[]> {
  await using server = await openServer();
  using kv = await Deno.openKv(server.kvPath);
  const graph = await server.served.createGraph();
  const prefix = await writeLog(kv, graph);
  const pullAll = (): Promise<Uint8Array> => server.served.bytes(`/sync/${graph}/pull?since=0`);
  const { length } = await pullAll();
  const beside = new Beside("pull of a long log, to a bare list put together", {
    count: ENTRIES,
    of: "entries",
    bytes: length,
  });
  for (let round = 0; round < ROUNDS; round++) {
    await beside.ours(pullAll);
    await beside.floor(() => listAll(kv, prefix));
  }
  return [beside.result({ atLeast: 0.6 })];
}

/** The entries of small recorded batches, again and again; without tails, which no pull reads. */
async function writeLog(kv: Deno.Kv, graph: GraphId): Promise<Deno.KvKey> {
  const head = await readHead(kv, graph);
  if (head === undefined) throw new Error(`Cannot write into ${graph} as it is gone`);
  const txs = readBatches("ops-small").flatMap(({ log }) => log.map(({ tx }) => tx))
    .filter((tx) => tx.length < SMALL);
  let t = T_ZERO;
  const sets = function* (): Generator<KvSet> {
    for (let i = 0; i < ENTRIES; i++) {
      t = nextT(t);
      const tx = txs[i % txs.length] ?? "";
      yield* entryChange(graph, head.log, { t, tx, tail: "", writer: "bench" });
    }
  };
  const written = await writeInCommits(kv, sets());
  const moved = await commitHead(kv, head, { ...head, t }, { sets: [], deletes: [] });
  if (written.kind !== "committed" || moved.kind !== "committed") {
    throw new Error("Cannot write a log");
  }
  return entriesPrefix("log", graph, head.log);
}

async function listAll(kv: Deno.Kv, prefix: Deno.KvKey): Promise<Uint8Array> {
  const values: Uint8Array[] = [];
  const entries = kv.list<Uint8Array>({ prefix }, { batchSize: LIST_BATCH });
  for await (const { value } of entries) values.push(value);
  return Buffer.concat(values);
}
