/** How large a graph is, and what of it is garbage: for its owner to look at. */
import { decodeRoot, decodeTail } from "../datascript/root.ts";
import { listDropped } from "../kv/flushes.ts";
import { type Head, readHead } from "../kv/head.ts";
import { entriesRange, rowsPrefix } from "../kv/keys.ts";
import { LIST_BATCH } from "../kv/limits.ts";
import { readTail } from "../kv/txlog.ts";
import { type GraphId, ROOT_ADDR, T_ZERO } from "../protocol/ids.ts";
import { readBase } from "./base.ts";

/** Counts of things; bytes as they are in the store. */
export interface GraphStats {
  readonly t: number;
  /** In the trees; the tail's come on top. */
  readonly datoms: number;
  readonly rows: number;
  readonly rowBytes: number;
  /** Rows that a flush made useless and that are still readable. */
  readonly garbageRows: number;
  readonly tailTransactions: number;
  readonly tailDatoms: number;
  readonly logEntries: number;
  readonly logBytes: number;
}

/** What a graph takes in the store. */
export interface GraphSize {
  readonly rows: number;
  /** Of rows and log; keys and what flushes keep beside them come on top. */
  readonly bytes: number;
}

/** Reads all rows and the whole log, and decodes nothing. */
export async function graphSize(kv: Deno.Kv, { graph, rows, log, t }: Head): Promise<GraphSize> {
  const stored = await measure(kv, { prefix: rowsPrefix(graph, rows) });
  const entries = await measure(kv, entriesRange("log", graph, log, T_ZERO, t));
  return { rows: stored.values, bytes: stored.bytes + entries.bytes };
}

/** Reads all rows and the whole log; `undefined` where there is no such graph. */
export async function graphStats(kv: Deno.Kv, graph: GraphId): Promise<GraphStats | undefined> {
  const head = await readHead(kv, graph);
  if (head === undefined) return undefined;
  const { t, log, rows, flushed } = head;
  const { root, tail } = await readBase(kv, head, flushed);
  const stored = await measure(kv, { prefix: rowsPrefix(graph, rows) });
  const entries = await measure(kv, entriesRange("log", graph, log, T_ZERO, t));
  const txs = (await Array.fromAsync(
    readTail(kv, graph, log, flushed, t),
    (entry) => decodeTail(`[${entry.transit}]`),
  )).flat();
  const imported = tail === undefined ? [] : decodeTail(tail.content);
  const dropped = await Array.fromAsync(
    listDropped(kv, graph, rows),
    (flush) => flush.addrs.filter((addr) => addr > ROOT_ADDR + 1).length,
  );
  return {
    t,
    datoms: root === undefined ? 0 : decodeRoot(root.content).trees.eavt.count,
    rows: stored.values,
    rowBytes: stored.bytes,
    garbageRows: dropped.reduce((sum, count) => sum + count, 0),
    tailTransactions: imported.length + txs.length,
    tailDatoms: [...imported, ...txs].reduce((sum, tx) => sum + tx.length, 0),
    logEntries: entries.values,
    logBytes: entries.bytes,
  };
}

/** Values (by their parts 0) and the bytes of all parts. */
export async function measure(
  kv: Deno.Kv,
  selector: Deno.KvListSelector,
): Promise<{ readonly values: number; readonly bytes: number }> {
  let values = 0;
  let bytes = 0;
  for await (const { key, value } of kv.list<unknown>(selector, { batchSize: LIST_BATCH })) {
    if (key.at(-1) === 0) values++;
    if (value instanceof Uint8Array) bytes += value.length;
  }
  return { values, bytes };
}
