/** What a batch costs the store: cold, and over a long run with its flushes. */
import { createGraph } from "../kv/graphs.ts";
import {
  type GraphId,
  newGraphId,
  nextT,
  parseAddr,
  parseTxId,
  parseUserId,
  type T,
  T_ZERO,
} from "../protocol/ids.ts";
import { reachedBy } from "../protocol/today/server_message.ts";
import { AcceptedIds } from "../sync/accepted.ts";
import { txBatch } from "../sync/batch.ts";
import { Databases } from "../sync/database.ts";
import { txEntries } from "../sync/entries.ts";
import { Flusher } from "../sync/flush.ts";
import { importRows } from "../sync/import.ts";
import { Turns } from "../sync/turns.ts";
import { loggerFor } from "../telemetry/log.ts";
import { readBatches, readRows } from "../tests/support/fixtures.ts";
import { txOf } from "../tests/support/forms.ts";
import { type Result, rounded } from "./result.ts";
import { counted, type Traffic } from "./store.ts";

const now = (): number => Date.now();

export interface Bench {
  readonly traffic: Traffic;
  readonly flusher: Flusher;
  send(t: T, txs: readonly string[]): Promise<boolean>;
  /** The same in today's dialect, an entry for each tx; answers the version that it reached. */
  sendEntries(tBefore: T, txs: readonly string[]): Promise<T>;
}

/** A graph with these rows in a file, and a process that has read nothing of it yet. */
export async function open(
  path: string,
  set: string,
  flushFrom: number,
): Promise<Bench & AsyncDisposable> {
  const file = await Deno.openKv(path);
  const graph = newGraphId();
  const owner = parseUserId("bench");
  if (owner === undefined) throw new TypeError("Cannot make a user");
  await createGraph(file, graph, { owner, name: "bench", createdAt: now() });
  await upload(file, graph, set);
  const { kv, traffic } = counted(file);
  const log = loggerFor("bench");
  const parts = { kv, databases: new Databases(kv), turns: new Turns(), log, now };
  const flusher = new Flusher(parts, flushFrom);
  const fanout = { moved: (): void => {} };
  const accepted = new AcceptedIds(kv);
  return {
    traffic,
    flusher,
    send: async (t_before, txs) => {
      const answer = await txBatch({ ...parts, fanout, flusher }, graph, { t_before, txs });
      return answer?.type === "tx/batch/ok";
    },
    sendEntries: async (tBefore, txs) => {
      const entries = txs.map((tx) => {
        const txId = parseTxId(crypto.randomUUID());
        return { tx, ...txId !== undefined && { txId } };
      });
      const deps = { ...parts, fanout, flusher, accepted };
      const answer = await txEntries(deps, graph, { tBefore, entries });
      return (answer && reachedBy(answer)) ?? tBefore;
    },
    [Symbol.asyncDispose]: async () => {
      await flusher.idle();
      file.close();
    },
  };
}

async function upload(kv: Deno.Kv, graph: GraphId, set: string): Promise<void> {
  const rows = readRows(set);
  for (let start = 0; start < rows.length; start += 2000) {
    const page = rows.slice(start, start + 2000).flatMap(([number, content, addresses]) => {
      const addr = parseAddr(number);
      return addr === undefined
        ? []
        : [[addr, content, addresses]] as [typeof addr, string, string | null][];
    });
    await importRows({ kv, now }, graph, { reset: start === 0, rows: page });
  }
}

/** Entries read for the first batch of a fresh process, beside the entries of one path of each index. */
export async function coldBatch(): Promise<readonly Result[]> {
  const results: Result[] = [];
  for (
    const [set, ops] of [["variety-small", "ops-small"], ["variety-medium", "ops-medium"]] as const
  ) {
    await using bench = await open(":memory:", set, Infinity);
    const first = readBatches(ops).find(({ txs }) => txs.length === 1)?.txs ?? [];
    await bench.send(T_ZERO, first);
    const forms = first.join("").split("~:db/").length;
    results.push({
      what: `first batch on ${set} in a fresh process`,
      work: `${first.length} tx of about ${forms} forms`,
      ours: `${bench.traffic.entriesRead} entries read`,
      floor: "60 entries",
      ratio: rounded(bench.traffic.entriesRead / 60),
    });
  }
  return results;
}

/** Bytes set for each accepted batch, flushes included, beside those of its log entry alone. */
export async function writeAmplification(): Promise<readonly Result[]> {
  const results: Result[] = [];
  for (const flushFrom of [1000, 2000, 4000]) {
    await using bench = await open(":memory:", "variety-medium", flushFrom);
    const edits = editsOf("ops-medium");
    let logBytes = 0;
    let t: T = T_ZERO;
    const batches = 20_000;
    for (let i = 0; i < batches; i++) {
      const tx = edits(i);
      if (!await bench.send(t, [tx])) continue;
      logBytes += JSON.stringify({ t: t + 1, tx }).length;
      t = nextT(t);
      // A client would leave the flush some time; so many batches a second leave it none.
      if (i % 500 === 0) await bench.flusher.idle();
    }
    await bench.flusher.idle();
    results.push({
      what: `bytes set a batch, flushed from ${flushFrom} facts on`,
      work: `${t} batches of 2 forms`,
      ours: `${rounded(bench.traffic.bytesSet / t)} bytes in ${
        rounded(bench.traffic.commits / t)
      } commits`,
      floor: `${rounded(logBytes / t)} bytes of log`,
      ratio: rounded(bench.traffic.bytesSet / logBytes),
    });
  }
  return results;
}

/** Small edits all over a graph: the i-th one, as a tx of two forms. */
export function editsOf(ops: string): (i: number) => string {
  const uuids = readBatches(ops).flatMap(({ txs }) =>
    [...txs.join("").matchAll(/\["~:block\/uuid","~u([0-9a-f-]{36})"\]/g)].map((match) => match[1])
  );
  return (i) => {
    const uuid = uuids[(i * 7919) % uuids.length];
    return txOf(
      [
        "~:db/add",
        ["~:block/uuid", `~u${uuid}`],
        "~:block/title",
        `edit ${i} of a block in a graph`,
      ],
      ["~:db/add", ["~:block/uuid", `~u${uuid}`], "~:block/updated-at", 1_795_532_000_000 + i],
    );
  };
}
