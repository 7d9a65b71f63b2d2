/**
 * Rows out, a page at a time (protocol.md §3). Rows 0 and 1 are made as of one version; the nodes
 * below them are never overwritten, so pages of different moments fit together.
 */
import { decodeTail, encodeTail, encodeTailTx } from "../datascript/root.ts";
import { type Head, readHead } from "../kv/head.ts";
import { type Row, type RowJson, rowJson } from "../kv/rows.ts";
import { readTail } from "../kv/txlog.ts";
import { type GraphId, ROOT_ADDR, type T, TAIL_ADDR, type UserId } from "../protocol/ids.ts";
import { type Base, readBase } from "./base.ts";
import type { NextPages } from "./next_pages.ts";
import type { Pins } from "./pins.ts";

export interface SnapshotDeps {
  readonly kv: Deno.Kv;
  readonly pins: Pins;
}

export interface PageDeps extends SnapshotDeps {
  readonly nextPages: NextPages;
}

export interface PageQuery {
  /** An address; -1: from the first row on. */
  readonly after: number;
  /** Rows wanted, at least 1. */
  readonly limit: number;
  readonly caller: UserId;
}

/** Rows ascending by addr; `json` is UTF-8 of a row as the answer shows it. */
export interface RowsPage {
  readonly rows: readonly { readonly json: Uint8Array }[];
  readonly lastAddr: number;
  readonly done: boolean;
}

/** The rows that a page repeats at the end. */
const REPEATED = 2;

/**
 * One page of a graph's rows; `undefined` where there is no such graph. The last one (`done`) holds
 * rows 0 and 1 once more, as of the version that the caller's last pull told, or else as of now.
 *
 * Cost: the page's rows in memory, and for rows 0 and 1 the whole tail; nodes of the next page are
 * listed meanwhile.
 *
 * @throws {CorruptValueError | CorruptLogError | CorruptRowError} a fault of ours or the store's
 */
export async function rowsPage(
  deps: PageDeps,
  graph: GraphId,
  query: PageQuery,
): Promise<RowsPage | undefined> {
  for (;;) {
    const head = await readHead(deps.kv, graph);
    if (head === undefined) return undefined;
    const page = await readPage(deps, head, query);
    // Rows that a reset took away meanwhile are missing in the page.
    const after = await readHead(deps.kv, graph);
    if (after?.rows === head.rows) return page;
  }
}

async function readPage(
  { kv, pins, nextPages }: PageDeps,
  head: Head,
  { after, limit, caller }: PageQuery,
): Promise<RowsPage> {
  const rootAndTail = (): Promise<readonly RowJson[]> =>
    readRootAndTail(kv, head, versionFor(pins, head, caller));
  const found = after < TAIL_ADDR ? (await rootAndTail()).filter((row) => row.addr > after) : [];
  // One row more than fits tells that this page isn't the last.
  const wanted = limit + 1 - found.length;
  const from = Math.max(after, TAIL_ADDR);
  found.push(...await nextPages.nodes(head, { after: from, wanted }));
  const rows = found.slice(0, limit);
  const lastAddr = rows.at(-1)?.addr ?? after;
  if (found.length > limit) {
    if (lastAddr >= TAIL_ADDR) nextPages.begin(head, { after: lastAddr, wanted: limit + 1 }, rows);
    return { rows, lastAddr, done: false };
  }
  if (after < ROOT_ADDR) return { rows, lastAddr, done: true };
  const nodes = rows.filter((row) => row.addr > TAIL_ADDR);
  const last = [...await rootAndTail(), ...nodes];
  return last.length <= Math.max(limit, REPEATED)
    ? { rows: last, lastAddr, done: true }
    : { rows, lastAddr, done: false };
}

/** The version that the caller was told last, if it is one of this log; else the current one. */
export function versionFor(pins: Pins, head: Head, caller: UserId): T {
  const pin = pins.of(caller, head.graph);
  return pin !== undefined && pin.log === head.log && pin.t < head.t ? pin.t : head.t;
}

async function readRootAndTail(kv: Deno.Kv, head: Head, t: T): Promise<readonly RowJson[]> {
  const base = await readBase(kv, head, t);
  return (await rootAndTail(kv, head, base, t)).map(rowJson);
}

/** The same on a base that has been read. */
export async function rootAndTail(
  kv: Deno.Kv,
  head: Head,
  base: Base,
  t: T,
): Promise<readonly Row[]> {
  return [base.root, await tailRow(kv, head, base, t)].filter((row) => row !== undefined);
}

/** The tail as it was imported, and on it the transactions since the base. */
async function tailRow(kv: Deno.Kv, head: Head, base: Base, t: T): Promise<Row | undefined> {
  if (t === base.t && (base.tail !== undefined || base.root === undefined)) return base.tail;
  const txs = base.tail === undefined ? [] : decodeTail(base.tail.content).map(encodeTailTx);
  for await (const entry of readTail(kv, head.graph, head.log, base.t, t)) txs.push(entry.transit);
  return { addresses: null, ...base.tail, addr: TAIL_ADDR, content: encodeTail(txs) };
}
