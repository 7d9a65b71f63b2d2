/** A graph in a store of a bench's own, and what takes its batches, without a server around it. */
import { createGraph } from "../kv/graphs.ts";
import {
  type GraphId,
  newGraphId,
  parseTxId,
  parseUserId,
  type T,
  type UserId,
} from "../protocol/ids.ts";
import { reachedBy } from "../protocol/today/server_message.ts";
import { AcceptedIds } from "../sync/accepted.ts";
import { type BatchDeps, txBatch } from "../sync/batch.ts";
import { Databases } from "../sync/database.ts";
import { txEntries } from "../sync/entries.ts";
import { Flusher } from "../sync/flush.ts";
import { importRows } from "../sync/import.ts";
import type { NodeCache } from "../sync/node_cache.ts";
import { RecentEntries } from "../sync/recent.ts";
import { Turns } from "../sync/turns.ts";
import { loggerFor } from "../telemetry/log.ts";
import { readRows } from "../tests/support/fixtures.ts";
import { newNodes } from "../tests/support/nodes.ts";
import { importedOf } from "../tests/support/process.ts";
import { counted, type StoreObserver, type Traffic } from "./store.ts";

const PAGE = 2000;

const now = (): number => Date.now();

/** A new graph with these rows, each `[addr, content, addresses]`; they are taken page by page. */
export async function addGraph(kv: Deno.Kv, rows: Iterable<unknown>): Promise<GraphId> {
  const graph = newGraphId();
  await createGraph(kv, graph, { owner: owner(), name: "bench", createdAt: now() });
  let reset = true;
  for (const page of pagesOf(rows)) {
    await importRows({ kv, now }, graph, reset, importedOf(page));
    reset = false;
  }
  return graph;
}

function owner(): UserId {
  const user = parseUserId("bench");
  if (user === undefined) throw new TypeError("Cannot make a user");
  return user;
}

function* pagesOf(rows: Iterable<unknown>): Generator<readonly unknown[]> {
  let page: unknown[] = [];
  for (const row of rows) {
    page.push(row);
    if (page.length < PAGE) continue;
    yield page;
    page = [];
  }
  if (page.length > 0) yield page;
}

/** What takes batches: that of a process which has read nothing yet, but for the nodes given. */
export function batchDeps(
  kv: Deno.Kv,
  flushFrom?: number,
  nodes: NodeCache = newNodes(),
): BatchDeps & { readonly flusher: Flusher } {
  const parts = {
    kv,
    databases: new Databases(kv, nodes),
    turns: new Turns(),
    recent: new RecentEntries(),
    log: loggerFor("bench"),
    now,
  };
  return { ...parts, fanout: { moved: () => {} }, flusher: new Flusher(parts, flushFrom) };
}

export interface Bench {
  readonly traffic: Traffic;
  readonly flusher: Flusher;
  send(t: T, txs: readonly string[]): Promise<boolean>;
  /** The same in today's dialect, an entry for each tx; answers the version that it reached. */
  sendEntries(tBefore: T, txs: readonly string[]): Promise<T>;
}

/**
 * A graph with the rows of a set in a store in memory, and a process that has read nothing of it yet.
 *
 * @param flushFrom facts in the overlay; the server's own number without it
 * @param observer told of what goes through from then on
 */
export async function open(
  set: string,
  flushFrom?: number,
  observer?: StoreObserver,
): Promise<Bench & AsyncDisposable> {
  const store = await Deno.openKv(":memory:");
  const graph = await addGraph(store, readRows(set));
  const { kv, traffic } = counted(store, observer);
  const deps = batchDeps(kv, flushFrom);
  const accepted = new AcceptedIds(kv);
  return {
    traffic,
    flusher: deps.flusher,
    send: async (t_before, txs) => {
      const answer = await txBatch(deps, graph, { t_before, txs });
      return answer?.type === "tx/batch/ok";
    },
    sendEntries: async (tBefore, txs) => {
      const entries = txs.map((tx) => {
        const txId = parseTxId(crypto.randomUUID());
        return { tx, ...txId !== undefined && { txId } };
      });
      const answer = await txEntries({ ...deps, accepted }, graph, { tBefore, entries });
      return (answer && reachedBy(answer)) ?? tBefore;
    },
    [Symbol.asyncDispose]: async () => {
      await deps.flusher.idle();
      store.close();
    },
  };
}
