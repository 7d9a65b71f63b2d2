/**
 * Rows in. A call becomes visible as a whole or not at all: what may be cut off is written where no
 * reader looks yet, and one commit that the head guards makes it the graph's.
 */
import type { KvSet } from "../kv/change.ts";
import { CommitTooLargeError, writeInCommits } from "../kv/commit.ts";
import { claimsGuard, flushSets, isClaimed, listClaims, listDropped } from "../kv/flushes.ts";
import { generationsOf, markGarbage, openGeneration, sweepGeneration } from "../kv/garbage.ts";
import { areMet } from "../kv/get_many.ts";
import {
  begun,
  checksumLost,
  commitHead,
  type Head,
  headGuard,
  type HeadState,
  readHead,
} from "../kv/head.ts";
import {
  importedRowSets,
  lastAddr,
  listRows,
  parseRowJson,
  readRow,
  type Row,
  type RowJson,
  rowJson,
  strayRowParts,
} from "../kv/rows.ts";
import { type ImportBody, rowLength } from "../protocol/http.ts";
import {
  type Generation,
  type GraphId,
  newGeneration,
  ROOT_ADDR,
  type T,
  T_ZERO,
  TAIL_ADDR,
} from "../protocol/ids.ts";
import { hasSameRows, readBase, wasFounded } from "./base.ts";
import { type ComparedRows, compareRows } from "./compare_rows.ts";
import type { Fanout } from "./fanout.ts";
import type { GraphEnd } from "./news.ts";
import { type Attempt, attempted, untilSettled } from "./settle.ts";
import { trySweep } from "./try_sweep.ts";

export interface ImportDeps {
  readonly kv: Deno.Kv;
  /** Ms since the epoch. */
  readonly now: () => number;
  /** Tells the graph's sockets, as soon as it is so: what is swept then may take a while, or fail. */
  readonly ended?: Fanout["ended"];
}

/**
 * Characters of a call's rows that stay texts until they are stored, when their bytes are made beside
 * the store's work: an import takes 0.9 of the time so. Further ones are bytes as soon as they come, as
 * texts may take twice as much memory.
 */
const TEXTS_LENGTH = 4 * 1024 * 1024;

/**
 * Rows of one call. Clients send 2000, or frames of 1 MB, and 100 MiB are 120,000 of a real graph. Each takes
 * some 500 bytes beside its own: a million and a half of them, 4 MB gzipped, ended the process.
 */
export const MAX_IMPORTED_ROWS = 150_000;

/** The rows of one call. */
export class ImportedRows {
  readonly #byAddr = new Map<number, RowJson>();
  #count = 0;
  #length = 0;

  /** How many rows were in the call. */
  get count(): number {
    return this.#count;
  }

  /** Of rows with one addr the last counts. Answers whether it was taken, as they are not too many. */
  add(imported: ImportBody["rows"][number]): boolean {
    if (++this.#count > MAX_IMPORTED_ROWS) return false;
    this.#length += rowLength(imported);
    const [addr, content, addresses] = imported;
    const row: Row = { addr, content, addresses: addresses ?? null };
    this.#byAddr.set(addr, this.#length <= TEXTS_LENGTH ? lateRowJson(row) : rowJson(row));
    return true;
  }

  values(): readonly RowJson[] {
    return [...this.#byAddr.values()];
  }
}

function lateRowJson(row: Row): RowJson {
  return {
    addr: row.addr,
    get json(): Uint8Array {
      return rowJson(row).json;
    },
  };
}

/**
 * Upserts rows by addr; with `reset` it first empties log and rows and sets t to 0. Answers how many
 * rows were in the call; `undefined` where there is no such graph.
 *
 * Cost: a commit for each 800 KB. A call without `reset` that replaces more than one commit holds by
 * other rows, has rows where a flush is writing, or comes before what a flush made useless is swept or
 * there is a root, also copies all the graph's rows; no client does so.
 *
 * @throws {Error} the store took no commit
 */
export async function importRows(
  deps: ImportDeps,
  graph: GraphId,
  reset: boolean,
  imported: ImportedRows,
): Promise<number | undefined> {
  const rows = imported.values();
  const replaced = reset ? await readHead(deps.kv, graph) : undefined;
  const done = await untilSettled(
    `import rows into ${graph}`,
    () => reset ? replaceAll(deps, replaced, rows) : upsert(deps, graph, rows),
  );
  return done ? imported.count : undefined;
}

/** Whether there is such a graph. */
type Outcome = Attempt<boolean>;

/** @param replaced the graph as it was when the call came */
async function replaceAll(
  deps: ImportDeps,
  replaced: Head | undefined,
  rows: readonly RowJson[],
): Promise<Outcome> {
  if (replaced === undefined) return { done: false };
  const { graph } = replaced;
  const head = await readHead(deps.kv, graph);
  if (head === undefined) return { done: false };
  // Another has emptied the graph since: after these rows. It may be this very call, which a proxy gave
  // up and sent to another process, and what its client has sent since is not to go.
  if (head.log !== replaced.log) return { done: true };
  const generation = newGeneration();
  const sets = function* (): Generator<KvSet> {
    for (const row of rows) yield* importedRowSets(graph, generation, row);
  };
  return await build(deps, head, generation, sets(), (now) =>
    now.log !== head.log ? undefined : {
      state: {
        ...begun(generation),
        ...checksumLost(now),
        ...isFullPage(rows) && { importing: true },
      },
      garbage: generationsOf(now),
    }, "reset");
}

async function upsert(
  deps: ImportDeps,
  graph: GraphId,
  rows: readonly RowJson[],
): Promise<Outcome> {
  const head = await readHead(deps.kv, graph);
  if (head === undefined) return { done: false };
  if (rows.length === 0) return await endImport(deps, head);
  const guards = await guardsFor(deps.kv, head, rows);
  if (guards === undefined) return await copyWith(deps, head, rows);
  const compared = await comparePresent(deps.kv, head, rows);
  try {
    return await upsertInPlace(deps, head, rows, guards, compared);
  } catch (thrown) {
    if (!(thrown instanceof CommitTooLargeError)) throw thrown;
    return await copyWith(deps, head, rows);
  }
}

/** The seed's clients send pages of so many rows, but for the last one or two (protocol.md §3). */
const PAGE_ROWS = 2000;

/** More of its import may follow. */
function isFullPage(rows: readonly RowJson[]): boolean {
  return rows.length >= PAGE_ROWS;
}

/** What is stored of the head when these rows are there. */
function withRows({ importing, ...state }: Head, rows: readonly RowJson[]): HeadState {
  return importing && isFullPage(rows) ? { ...state, importing } : state;
}

/** A client's last call has no rows. */
async function endImport({ kv, now }: ImportDeps, head: Head): Promise<Outcome> {
  if (head.importing === undefined) return { done: true };
  const outcome = await commitHead(kv, head, { ...withRows(head, []), updatedAt: now() });
  return attempted(outcome, true);
}

/** A client's pages ascend, so mostly all rows are added, and none is read. */
async function comparePresent(
  kv: Deno.Kv,
  { graph, rows: generation }: Head,
  rows: readonly RowJson[],
): Promise<ComparedRows> {
  const last = await lastAddr(kv, graph, generation) ?? -1;
  const present = rows.filter((row) => row.addr <= last);
  const { added, changed } = await compareRows(kv, graph, generation, present);
  const isNode = ({ addr }: RowJson): boolean => addr > TAIL_ADDR;
  const allAdded = [...rows.filter((row) => row.addr > last), ...added];
  // Whoever reads a graph begins with its root and tail rows: they come with the head.
  return {
    added: allAdded.filter(isNode),
    changed: [...allAdded.filter((row) => !isNode(row)), ...changed],
  };
}

/**
 * What keeps flushes from claiming these rows' addresses while they are written; `undefined`: one has
 * claimed some of them, and would write over the rows, or what sweeps it would delete them; or one has
 * made rows useless, which these may need again, and which are going to be swept; or there is no root.
 */
async function guardsFor(
  kv: Deno.Kv,
  head: Head,
  rows: readonly RowJson[],
): Promise<readonly Deno.AtomicCheck[] | undefined> {
  if (head.t === T_ZERO) {
    // Nobody flushes before the first batch, and then the head moves. But a first batch on a graph without
    // a root brings rows, behind those that are there: these may not be there half.
    const root = await readRow(kv, head.graph, head.rows, ROOT_ADDR);
    return root === undefined ? undefined : [];
  }
  const guard = await claimsGuard(kv, head.graph, head.rows);
  const claims = await listClaims(kv, head.graph, head.rows);
  for await (const { addrs } of listDropped(kv, head.graph, head.rows)) {
    if (addrs.length > 0) return undefined;
  }
  return rows.some(({ addr }) => isClaimed(claims, addr)) ? undefined : [guard];
}

/**
 * New rows first: nothing can be read through them that could be before. Then, in the commit that
 * moves the head, all rows that change.
 *
 * @param guards as `guardsFor` made them, before the rows were compared
 * @throws {CommitTooLargeError} too many change; only new rows were written, whole ones
 */
async function upsertInPlace(
  { kv, now }: ImportDeps,
  head: Head,
  rows: readonly RowJson[],
  guards: readonly Deno.AtomicCheck[],
  { added, changed }: ComparedRows,
): Promise<Outcome> {
  const setsOf = function* (rows: readonly RowJson[]): Generator<KvSet> {
    for (const row of rows) yield* importedRowSets(head.graph, head.rows, row);
  };
  const written = await writeInCommits(kv, setsOf(added), [headGuard(head), ...guards]);
  if (written.kind !== "committed") return { again: written };
  const sets = [...setsOf(changed)];
  const root = flushedRoot(head, rows);
  const outcome = await commitHead(kv, head, {
    ...withRows(head, rows),
    rowsVersion: head.rowsVersion + 1,
    flushed: root?.t ?? head.flushed,
    updatedAt: now(),
    ...checksumLost(head),
  }, {
    sets: [...sets, ...rootSets(head, head.rows, root, now())],
    deletes: await strayRowParts(kv, sets),
    checks: guards,
  });
  return attempted(outcome, true);
}

/** All the graph's rows, with these in place of those of their addrs, as new rows. */
async function copyWith(
  deps: ImportDeps,
  head: Head,
  rows: readonly RowJson[],
): Promise<Outcome> {
  const { kv, now } = deps;
  const { graph } = head;
  const generation = newGeneration();
  const replaced = new Set(rows.map((row) => row.addr));
  const base = await readBase(kv, head, head.flushed);
  const root = flushedRoot(head, rows) ??
    (head.flushed === T_ZERO || base.root === undefined
      ? undefined
      : { t: base.t, row: base.root });
  const sets = async function* (): AsyncGenerator<KvSet> {
    for await (const row of listRows(kv, graph, head.rows, -1)) {
      if (!replaced.has(row.addr)) yield* importedRowSets(graph, generation, row);
    }
    for (const row of rows) yield* importedRowSets(graph, generation, row);
    yield* rootSets(head, generation, root, now());
  };
  return await build(deps, head, generation, sets(), (current) => {
    // A first batch brought rows, too.
    const same = hasSameRows(current, head) && current.flushed === head.flushed &&
      !wasFounded(head, current);
    const flushed = root?.t ?? head.flushed;
    return same
      ? {
        state: {
          ...withRows(current, rows),
          rows: generation,
          rowsVersion: 0,
          flushed,
          ...checksumLost(current),
        },
        garbage: [current.rows],
      }
      : undefined;
  });
}

/** The root of a flushed graph, which is kept apart from row 0, and the version that it is of. */
interface FlushedRoot {
  readonly t: T;
  readonly row: Row;
}

/** A row 0 that is imported into a flushed graph is its root as of now. */
function flushedRoot(head: Head, rows: readonly RowJson[]): FlushedRoot | undefined {
  const row = head.flushed === T_ZERO ? undefined : rows.find(({ addr }) => addr === ROOT_ADDR);
  return row === undefined
    ? undefined
    : { t: head.t, row: parseRowJson(head.graph, head.rows, row) };
}

function rootSets(
  { graph }: Head,
  generation: Generation,
  root: FlushedRoot | undefined,
  since: number,
): readonly KvSet[] {
  if (root === undefined) return [];
  return flushSets(graph, generation, { t: root.t, root: root.row.content, since, dropped: [] });
}

/** What a head becomes when the new rows are there, and what is nobody's from then on. */
interface Switch {
  readonly state: Omit<HeadState, "updatedAt">;
  readonly garbage: readonly Generation[];
}

/**
 * Writes rows under a new generation, and makes it the graph's.
 *
 * @param switchOf for the head as it is by then; `undefined`: these rows are of no use with it
 * @param end what the graph's sockets are told
 * @returns `again`: other rows have to be written
 */
async function build(
  { kv, now, ended }: ImportDeps,
  head: Head,
  generation: Generation,
  sets: Iterable<KvSet> | AsyncIterable<KvSet>,
  switchOf: (head: Head) => Switch | undefined,
  end?: GraphEnd,
): Promise<Outcome> {
  const { graph } = head;
  const opened = await openGeneration(kv, head, generation, now());
  if (opened.kind !== "opened") return { again: opened };
  const written = await writeInCommits(kv, sets, [opened.guard]);
  if (written.kind !== "committed") return { again: written };
  const tell = (): void => {
    if (end !== undefined) ended?.(graph, end);
  };
  let tried = false;
  return await untilSettled<Outcome>(`make new rows those of ${graph}`, async () => {
    // First the marker: of one that is gone, what the head says then is the last word.
    const isMarked = !tried || await areMet(kv, [opened.guard]);
    const current = await readHead(kv, graph);
    // What was told as unknown, or as a conflict, has turned out well.
    if (current?.rows === generation) {
      tell();
      return { done: { done: true } };
    }
    const next = current === undefined ? undefined : switchOf(current);
    if (current === undefined || next === undefined) {
      await sweepGeneration(kv, graph, generation);
      return { done: current === undefined ? { done: false } : { again: { kind: "conflict" } } };
    }
    // The switch was not made, or the head would be none to switch from any more: a sweep took the rows.
    if (!isMarked) return { done: { again: { kind: "conflict" } } };
    const outcome = await commitHead(kv, current, { ...next.state, updatedAt: now() }, {
      sets: markGarbage(graph, next.garbage, now()),
      deletes: [opened.guard.key],
      checks: [opened.guard],
    });
    tried = true;
    if (outcome.kind !== "committed") return { again: outcome };
    tell();
    for (const old of next.garbage) await trySweep(kv, graph, old);
    return { done: { done: true } };
  });
}
