/** How large a graph is, and what of it is garbage: for its owner to look at. */
import { decodeRoot, decodeTail } from "../datascript/root.ts";
import { listDropped } from "../kv/flushes.ts";
import { type Head, readHead } from "../kv/head.ts";
import { measureLog, measureRows } from "../kv/measure.ts";
import { readTail } from "../kv/txlog.ts";
import { type GraphId, TAIL_ADDR } from "../protocol/ids.ts";
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
  /** With those that are to be swept. */
  readonly rows: number;
  /** Of rows and log; keys and what flushes keep beside them come on top. */
  readonly bytes: number;
}

/** Reads all rows and the whole log, and decodes nothing. */
export async function graphSize(kv: Deno.Kv, head: Head): Promise<GraphSize> {
  const stored = await measureRows(kv, head);
  const entries = await measureLog(kv, head);
  return { rows: stored.values, bytes: stored.bytes + entries.bytes };
}

/** Reads all rows and the whole log; `undefined` where there is no such graph. */
export async function graphStats(kv: Deno.Kv, graph: GraphId): Promise<GraphStats | undefined> {
  const head = await readHead(kv, graph);
  if (head === undefined) return undefined;
  const { t, log, rows, flushed } = head;
  const { root, tail } = await readBase(kv, head, flushed);
  const stored = await measureRows(kv, head);
  const entries = await measureLog(kv, head);
  const txs = (await Array.fromAsync(
    readTail(kv, graph, log, flushed, t),
    (entry) => decodeTail(`[${entry.transit}]`),
  )).flat();
  const imported = tail === undefined ? [] : decodeTail(tail.content);
  const dropped = await Array.fromAsync(
    listDropped(kv, graph, rows),
    (flush) => flush.addrs.filter((addr) => addr > TAIL_ADDR).length,
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
