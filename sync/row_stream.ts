/**
 * Rows out, all of them at once and as of one version, whatever is written meanwhile: rows 0 and 1
 * are made as of that version, and the nodes below them are never overwritten. Which rows there will
 * be is known before the first one.
 */
import { CorruptRowError } from "../datascript/errors.ts";
import { decodeRoot } from "../datascript/root.ts";
import { TransitError } from "../datascript/transit.ts";
import { readDownload } from "../kv/downloads.ts";
import { listDropped } from "../kv/flushes.ts";
import { commitHead, type Head, readHead } from "../kv/head.ts";
import { listAddrs, listRowBatches, type Row, type RowJson, rowJson } from "../kv/rows.ts";
import { CorruptLogError } from "../kv/txlog.ts";
import { type GraphId, type T, T_ZERO, TAIL_ADDR } from "../protocol/ids.ts";
import type { GraphVersion } from "../protocol/today/snapshot.ts";
import { loggerFor } from "../telemetry/log.ts";
import { type Base, hasSameRows, readBase, readSteady } from "./base.ts";
import { type DownloadDeps, type Downloader, isAhead, versionToServe } from "./downloads.ts";
import { nextTurn } from "./next_turn.ts";
import { addressesBelow, RowsUnfitError } from "./rows_check.ts";
import { untilSettled } from "./settle.ts";
import { rootAndTail } from "./snapshot.ts";

const log = loggerFor("snapshot");

/** All rows of one version. */
export interface RowStream {
  /** How many there are. */
  readonly count: number;
  /**
   * Row 0, row 1, and the others ascending by addr, in batches as they are read (listRowBatches), when
   * they are asked for.
   *
   * Ends with a RowsLostError where there would be fewer, so that a cut answer isn't taken for a
   * whole one.
   */
  readonly rows: AsyncGenerator<readonly RowJson[]>;
}

/**
 * `gone`: there is no such graph, or not this version of it any more: it was reset, or is so long ago
 * that its rows were swept. `not ready`: not all rows are there, as of an import that hasn't ended.
 */
export type OpenedRows =
  | { readonly kind: "open"; readonly stream: RowStream }
  | { readonly kind: "gone" }
  | { readonly kind: "not ready" };

/** Rows are no longer there that were when a stream began. */
export class RowsLostError extends Error {
  override readonly name = "RowsLostError";
}

/**
 * The version that a caller's download is to hold: the one that his last pull told, which the client
 * takes for its own (protocol.md §3), else the current one. `replaced`: that one is of a graph that is
 * gone, or the device couldn't follow the graph from there. `undefined`: there is no such graph.
 *
 * @throws {Error} the graph couldn't be marked as one that a device of today follows
 */
export async function versionToStream(
  { kv, now }: DownloadDeps,
  { graph, caller }: Downloader,
): Promise<GraphVersion | "replaced" | undefined> {
  const head = await followedHead(kv, graph);
  if (head === undefined) return undefined;
  const download = await readDownload(kv, graph, caller);
  if (download === undefined) return undefined;
  if (isAhead(download, head, now())) return "replaced";
  const t = versionToServe(download, head, now());
  // What came between the pull and the mark, whoever made that, is in the order that the device would refuse.
  return t < head.t && !download.told?.ofTodays ? "replaced" : { log: head.log, t };
}

/**
 * The head of a graph that a device of today follows from now on. If only the seed's clients have used
 * it so far, it is marked as one of today's: its entries are to come in an order that DataScript takes
 * (normalize.ts), or the device is stuck at the first that it refuses.
 */
async function followedHead(kv: Deno.Kv, graph: GraphId): Promise<Head | undefined> {
  return await untilSettled<Head | undefined>(`mark ${graph} as one of today's`, async () => {
    const head = await readHead(kv, graph);
    if (head === undefined) return { done: undefined };
    if (head.checksum !== undefined) return { done: head };
    const marked = { ...head, checksum: "unknown" } as const;
    const outcome = await commitHead(kv, head, marked);
    return outcome.kind === "committed" ? { done: outcome.head } : { again: outcome };
  });
}

/**
 * Opens the rows of a version, or of the current one.
 *
 * Cost: reads all rows once to know their addresses, which stay in memory, and decodes every branch
 * to know that none is missing; the stream then reads all rows again.
 *
 * @throws {CorruptValueError | CorruptLogError}
 */
export async function openRowStream(
  kv: Deno.Kv,
  graph: GraphId,
  version?: GraphVersion,
): Promise<OpenedRows> {
  for (;;) {
    const head = await readHead(kv, graph);
    if (head === undefined) return { kind: "gone" };
    const opened = await readSteady(kv, head, () => openAt(kv, head, version));
    if (opened !== undefined) return opened.result;
  }
}

async function openAt(
  kv: Deno.Kv,
  head: Head,
  version: GraphVersion | undefined,
): Promise<OpenedRows> {
  const t = version?.t ?? head.t;
  if (version !== undefined && version.log !== head.log || t > head.t) return { kind: "gone" };
  const base = await readBase(kv, head, t);
  if (base.root === undefined && head.flushed !== T_ZERO) return { kind: "gone" };
  const first = await firstRows(kv, head, base, t);
  const addrs = await addressesOf(kv, head, base);
  if (first === undefined || addrs === undefined) {
    return { kind: t < head.flushed ? "gone" : "not ready" };
  }
  const rows = streamRows(kv, head, first, addrs);
  return { kind: "open", stream: { count: first.length + addrs.length, rows } };
}

/** Rows 0 and 1; `undefined`: of a version before the last flush, whose tail has been swept. */
async function firstRows(
  kv: Deno.Kv,
  head: Head,
  base: Base,
  t: T,
): Promise<readonly Row[] | undefined> {
  try {
    return await rootAndTail(kv, head, base, t);
  } catch (cause) {
    if (cause instanceof CorruptLogError && t < head.flushed) return undefined;
    throw cause;
  }
}

/**
 * The addresses above 1 that a client of this base is to get, ascending: all but those that flushes
 * up to it made useless, and those of later ones. `undefined`: some that it needs are not there.
 */
async function addressesOf(
  kv: Deno.Kv,
  head: Head,
  base: Base,
): Promise<readonly number[] | undefined> {
  const { graph, rows } = head;
  const below = await belowRoot(kv, head, base);
  if (below === undefined) return undefined;
  const { needed, last } = below;
  const useless = new Set<number>();
  for await (const dropped of listDropped(kv, graph, rows)) {
    if (dropped.t <= base.t) { for (const addr of dropped.addrs) useless.add(addr); }
  }
  const addrs: number[] = [];
  for await (const addr of listAddrs(kv, graph, rows)) {
    needed.delete(addr);
    if (addr > TAIL_ADDR && addr <= last && !useless.has(addr)) addrs.push(addr);
  }
  if (needed.size === 0) return addrs;
  log.warn("{rows} rows of {graph} are missing", { graph, rows: needed.size });
  return undefined;
}

/**
 * The addresses that a base's root needs, and the last one that isn't a later flush's. `undefined`: it
 * is no root, or a branch below it is missing, or none.
 */
async function belowRoot(
  kv: Deno.Kv,
  { graph, rows }: Head,
  base: Base,
): Promise<{ readonly needed: Set<number>; readonly last: number } | undefined> {
  if (base.root === undefined) return { needed: new Set(), last: Infinity };
  try {
    const root = decodeRoot(base.root.content);
    const needed = await addressesBelow({ kv, graph, rows }, root);
    return { needed, last: base.t === T_ZERO ? Infinity : root.maxAddr };
  } catch (cause) {
    const unfit = cause instanceof RowsUnfitError || cause instanceof CorruptRowError ||
      cause instanceof TransitError;
    if (!unfit) throw cause;
    log.warn("The rows of {graph} are no database", { graph, cause });
    return undefined;
  }
}

/** Rows given without a turn for others: some 50 ms of work where they are gzipped. */
const TURN_BYTES = 4 * 1024 * 1024;

async function* streamRows(
  kv: Deno.Kv,
  head: Head,
  first: readonly Row[],
  addrs: readonly number[],
): AsyncGenerator<readonly RowJson[]> {
  yield first.map(rowJson);
  let next = 0;
  let bytes = 0;
  for await (const batch of listRowBatches(kv, head.graph, head.rows, TAIL_ADDR)) {
    const wanted: RowJson[] = [];
    for (const row of batch) {
      // Others are of later flushes, or useless. Behind one that is gone there is none.
      if (row.addr !== addrs[next]) continue;
      wanted.push(row);
      bytes += row.json.length;
      next++;
    }
    if (wanted.length > 0) yield wanted;
    // What one read of the store brings may be inflated to a thousand times as much.
    if (bytes >= TURN_BYTES) {
      await nextTurn();
      bytes = 0;
    }
    if (next === addrs.length) break;
  }
  const after = await readHead(kv, head.graph);
  if (next < addrs.length || after === undefined || !hasSameRows(after, head)) {
    throw new RowsLostError(`Cannot stream row ${next} of ${head.graph} as it is gone`);
  }
}
