/**
 * Rows out, a page at a time (protocol.md §3). Rows 0 and 1 are made as of one version; the nodes
 * below them are never overwritten, so pages of different moments fit together.
 */
import { decodeTail, encodeTail, encodeTailTx } from "../datascript/root.ts";
import { readDownload } from "../kv/downloads.ts";
import { type Head, readHead } from "../kv/head.ts";
import { type Row, type RowJson, rowJson } from "../kv/rows.ts";
import { readTail } from "../kv/txlog.ts";
import { type GraphId, ROOT_ADDR, type T, TAIL_ADDR, type UserId } from "../protocol/ids.ts";
import { type Base, readBase, readSteady } from "./base.ts";
import {
  type DownloadDeps,
  isAhead,
  isCutOff,
  rememberServed,
  versionToServe,
} from "./downloads.ts";
import { jsonChunks } from "./json_chunks.ts";
import type { NextPages } from "./next_pages.ts";
import type { WholeRows } from "./whole_rows.ts";

export interface PageDeps extends DownloadDeps {
  readonly nextPages: NextPages;
  readonly wholeRows: WholeRows;
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

/** The page as its answer, as UTF-8 in chunks. */
export function rowsAnswer(
  { rows, lastAddr, done }: RowsPage,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const end = `],"last_addr":${lastAddr},"done":${done}}`;
  return jsonChunks('{"rows":[', [rows.map(({ json }) => json)], end);
}

/** The rows that a page repeats at the end. */
const REPEATED = 2;

/**
 * `not ready`: rows of an import are still missing. `replaced`: the rows of the pages before this one
 * are the graph's no more, nor is the version that its pull told, so the client has to begin anew.
 */
export type PageRefusal = "not ready" | "replaced";

/**
 * One page of a graph's rows; `undefined` where there is no such graph. It may have fewer than are
 * wanted where they are long (NextPages). The last one (`done`) holds rows 0 and 1 once more, as of the
 * version that the caller's last pull told, or else as of now.
 *
 * Cost: the page's rows in memory, and for rows 0 and 1 the whole tail; but for the last page one
 * commit. Nodes of the next page are listed meanwhile.
 *
 * @throws {CorruptValueError | CorruptLogError | CorruptRowError} a fault of ours or the store's
 */
export async function rowsPage(
  deps: PageDeps,
  graph: GraphId,
  query: PageQuery,
): Promise<RowsPage | PageRefusal | undefined> {
  const { kv, wholeRows } = deps;
  for (;;) {
    const head = await readHead(kv, graph);
    if (head === undefined) return undefined;
    const download = await readDownload(kv, graph, query.caller);
    if (download === undefined) return undefined;
    if (isCutOff(download, head, query.after, deps.now())) return "replaced";
    const read = await readSteady(
      kv,
      head,
      async () =>
        await wholeRows.has(head)
          ? await readPage(deps, head, versionToServe(download, head, deps.now()), query)
          : undefined,
    );
    if (read === undefined) continue;
    const page = read.result;
    if (page === undefined) return "not ready";
    // Of no rows nobody can make a database that would be of the wrong version.
    if (page.rows.length > 0 && isAhead(download, head, deps.now())) return "replaced";
    if (!page.done) {
      const { lastAddr } = page;
      const served = { rows: head.rows, after: query.after, lastAddr, at: deps.now() };
      await rememberServed(deps, { graph, caller: query.caller }, download, served);
    }
    return page;
  }
}

async function readPage(
  { kv, nextPages }: PageDeps,
  head: Head,
  t: T,
  { after, limit }: PageQuery,
): Promise<RowsPage> {
  const rootAndTail = (): Promise<readonly RowJson[]> => readRootAndTail(kv, head, t);
  const found = after < TAIL_ADDR ? (await rootAndTail()).filter((row) => row.addr > after) : [];
  // One row more than fits tells that this page isn't the last.
  const wanted = limit + 1 - found.length;
  const from = Math.max(after, TAIL_ADDR);
  const { nodes: listed, cut } = await nextPages.nodes(head, { after: from, wanted });
  found.push(...listed);
  const rows = found.slice(0, limit);
  const lastAddr = rows.at(-1)?.addr ?? after;
  if (cut || found.length > limit) {
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
