/** A graph as a file that Logseq opens: all rows of one version, and nothing else. */
import { decodeRoot } from "../datascript/root.ts";
import { type GraphKey, listGraphKeys } from "../kv/e2ee_keys.ts";
import { readMeta } from "../kv/graphs.ts";
import { type Head, readHead } from "../kv/head.ts";
import { listRows, parseRowJson, type Row } from "../kv/rows.ts";
import { type GraphId, ROOT_ADDR, type T, TAIL_ADDR } from "../protocol/ids.ts";
import { writeKvsFile, type WriteOptions } from "../sqlite/kvs_file.ts";
import { RowMissingError } from "./database.ts";
import { hasSameBase, hasSameRows, isEmpty, readBase, wasFounded } from "./base.ts";
import { nextTurn } from "./next_turn.ts";
import { addressesBelow } from "./rows_check.ts";
import { rootAndTail } from "./snapshot.ts";

export interface BackupOptions extends WriteOptions {
  /** Called before the first row, and after each. Begins again at 0 if the rows were replaced. */
  readonly progress?: ((done: number, total: number) => void) | undefined;
}

/** What was written. */
export interface Backup {
  readonly t: T;
  readonly rows: number;
}

/** Nothing was put into the graph yet: there is no database to be opened. */
export class EmptyGraphError extends Error {
  override readonly name: string = "EmptyGraphError";
}

/** Rows written between two looks at the event loop, and characters of them: a row may have megabytes. */
const ROWS_SLICE = 32;
const LENGTH_SLICE = 256 * 1024;

/** How often rows may be replaced while they are copied: flushes are minutes apart. */
const ATTEMPTS = 5;

/**
 * Writes the graph as of now into an SQLite file, its tail included; `undefined` where there is no
 * such graph. Batches may land meanwhile, they aren't in it. Of the graph's rows only those are
 * copied that this version refers to. Of an encrypted graph its users' keys are in the file too.
 *
 * Memory: an address for each row, the tail, and little else. Cost: reads branches twice, and rows
 * that flushes made useless as well.
 *
 * @throws {KvsFileError} the file can't be written
 * @throws {EmptyGraphError | RowMissingError | RowsUnfitError | CorruptRowError | CorruptValueError |
 * CorruptLogError}
 */
export async function backupGraph(
  kv: Deno.Kv,
  graph: GraphId,
  path: string,
  options: BackupOptions,
): Promise<Backup | undefined> {
  for (let attempt = 1;; attempt++) {
    const head = await readHead(kv, graph);
    if (head === undefined) return undefined;
    try {
      return await backupAt(kv, head, path, options);
    } catch (cause) {
      // Rows that were replaced, swept after a flush, or brought by a first batch are no damage.
      if (attempt === ATTEMPTS) throw cause;
      const now = await readHead(kv, graph);
      if (now !== undefined && hasSameBase(now, head) && !wasFounded(head, now)) throw cause;
    }
  }
}

async function backupAt(
  kv: Deno.Kv,
  head: Head,
  path: string,
  { overwrite, progress = (): void => {} }: BackupOptions,
): Promise<Backup> {
  const first = await rootAndTail(kv, head, await readBase(kv, head, head.t), head.t);
  const root = first.find(({ addr }) => addr === ROOT_ADDR);
  if (root === undefined) {
    if (await isEmpty(kv, head)) {
      throw new EmptyGraphError(`Cannot back up ${head.graph} as nothing was put into it yet`);
    }
    throw new RowMissingError(`Cannot copy the rows of ${head.graph} as its root is missing`);
  }
  const place = { kv, graph: head.graph, rows: head.rows };
  const addresses = await addressesBelow(place, decodeRoot(root.content));
  const total = first.length + addresses.size;
  async function* rows(): AsyncGenerator<Row> {
    let done = 0;
    let length = 0;
    progress(done, total);
    for await (const row of copiedRows(kv, head, first, addresses)) {
      yield row;
      progress(++done, total);
      length += row.content.length;
      if (done % ROWS_SLICE !== 0 && length < LENGTH_SLICE) continue;
      length = 0;
      await nextTurn();
    }
  }
  await writeKvsFile(path, rows(), { overwrite }, await keysOf(kv, head.graph));
  return { t: head.t, rows: total };
}

/** Without them whoever restores an encrypted graph could read nothing of it. */
async function keysOf(kv: Deno.Kv, graph: GraphId): Promise<readonly GraphKey[] | undefined> {
  return (await readMeta(kv, graph))?.e2ee ? await listGraphKeys(kv, graph) : undefined;
}

/** Those two and the rows of these addresses, ascending. @throws {RowMissingError} */
async function* copiedRows(
  kv: Deno.Kv,
  head: Head,
  first: readonly Row[],
  addresses: ReadonlySet<number>,
): AsyncGenerator<Row> {
  const { graph, rows } = head;
  yield* first;
  let copied = 0;
  for await (const row of listRows(kv, graph, rows, TAIL_ADDR)) {
    if (!addresses.has(row.addr)) continue;
    yield parseRowJson(graph, rows, row);
    copied++;
  }
  if (copied !== addresses.size) {
    throw new RowMissingError(
      `Cannot copy all rows of ${graph}: ${addresses.size - copied} are missing`,
    );
  }
  const now = await readHead(kv, graph);
  if (now === undefined || !hasSameRows(now, head)) {
    throw new RowMissingError(`Cannot copy the rows of ${graph} as they were replaced`);
  }
}
