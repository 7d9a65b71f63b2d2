/**
 * All that a graph has in the store, held against what it must be: head, trees, rows, log and tail.
 * Reads only, so it may run beside a server. What looks like damage while rows or log are being
 * replaced is looked at again.
 */
import { checkDb } from "../datascript/db_check.ts";
import { EMPTY_TAIL, openDb } from "../datascript/root.ts";
import { BRANCHING_FACTOR } from "../datascript/tree.ts";
import { isListed, readMeta } from "../kv/graphs.ts";
import { type Head, knownChecksum, readHead } from "../kv/head.ts";
import type { GraphId, T } from "../protocol/ids.ts";
import { hasSameRows, isEmpty, readBase, wasFounded } from "./base.ts";
import { wholeChecksum } from "./checksum.ts";
import { Databases, type OpenDb, RowMissingError } from "./database.ts";
import { NodeCache } from "./node_cache.ts";
import { Problems } from "./problems.ts";
import { verifyLog, verifyTail } from "./verify_log.ts";
import { verifyOthers, walkRows } from "./verify_rows.ts";

/** What there is of a graph, and what is wrong with it. */
export interface Verified {
  readonly t: number;
  /** In the trees. */
  readonly datoms: number;
  /** That the trees are made of. */
  readonly rows: number;
  readonly logEntries: number;
  /** That came with an import and that nothing refers to. Logseq leaves such; they do no harm. */
  readonly strayRows: number;
  /** A sentence each; empty for a sound graph. */
  readonly problems: readonly string[];
}

/** A graph was changed each time while it was read, in a way by which rows or its log went away. */
export class UnsteadyGraphError extends Error {
  override readonly name: string = "UnsteadyGraphError";
}

/** Imports and resets of a graph are rare, and flushes minutes apart. */
const ATTEMPTS = 5;
/** Nodes are read once and in order: what is kept of them is for names in the log. */
const CACHE_BYTES = 16 * 1024 * 1024;

/**
 * Reads all of a graph as of one head; `undefined` where there is no such graph.
 *
 * Cost: every row and entry once. Memory: an address for each row, the tail, and little else.
 *
 * @param maxKeys that a node may have; Logseq's branching factor but for tests
 * @throws {UnsteadyGraphError}
 */
export async function verifyGraph(
  kv: Deno.Kv,
  graph: GraphId,
  maxKeys: number = BRANCHING_FACTOR,
): Promise<Verified | undefined> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const problems = new Problems();
    const head = await problems.catch("the head", () => readHead(kv, graph));
    const counted = head === undefined
      ? await verifyHeadless(kv, graph, problems)
      : await verifyAt(kv, head, maxKeys, problems);
    const verified = counted && { ...counted, problems: problems.found };
    if (head === undefined || verified === undefined) return verified;
    const now = await readHead(kv, graph);
    const sameRows = now?.log === head.log && hasSameRows(now, head) && !wasFounded(head, now);
    // A flush takes rows away, after a while.
    const steady = verified.problems.length === 0 || now?.flushed === head.flushed;
    if (sameRows && steady) return verified;
  }
  throw new UnsteadyGraphError(`Cannot verify ${graph} as it is changed faster than it is read`);
}

type Counted = Omit<Verified, "problems">;
const NOTHING: Counted = { t: 0, datoms: 0, rows: 0, logEntries: 0, strayRows: 0 };

async function verifyHeadless(
  kv: Deno.Kv,
  graph: GraphId,
  problems: Problems,
): Promise<Counted | undefined> {
  const meta = await problems.catch("the graph's entry", () => readMeta(kv, graph));
  if (meta !== undefined && problems.found.length === 0) problems.tell("the head", "is missing");
  return problems.found.length === 0 ? undefined : NOTHING;
}

async function verifyAt(
  kv: Deno.Kv,
  head: Head,
  maxKeys: number,
  problems: Problems,
): Promise<Counted> {
  await verifyOwner(kv, head, problems);
  const rows = await problems.catch("row 0", () => verifyRows(kv, head, maxKeys, problems));
  const logEntries = await verifyLog(kv, head, problems);
  return { ...NOTHING, ...rows, t: head.t, logEntries };
}

async function verifyOwner(kv: Deno.Kv, { graph }: Head, problems: Problems): Promise<void> {
  const { found } = problems;
  const before = found.length;
  const meta = await problems.catch("the graph's entry", () => readMeta(kv, graph));
  if (meta === undefined) {
    if (found.length === before) problems.tell("the graph's entry", "is missing");
  } else if (!await isListed(kv, meta.owner, graph)) {
    problems.tell("the owner's list", "lacks the graph");
  }
}

/** @throws what opening the database throws: then there is nothing to go through */
async function verifyRows(
  kv: Deno.Kv,
  head: Head,
  maxKeys: number,
  problems: Problems,
): Promise<Pick<Counted, "datoms" | "rows" | "strayRows">> {
  const databases = new Databases(kv, new NodeCache(CACHE_BYTES));
  const opened = await openBase(kv, databases, head);
  if (opened === undefined) return NOTHING;
  const { open, since } = opened;
  const afterTail = await problems.catch(
    "the tail",
    () => verifyTail(kv, databases, open, since, problems),
  );
  const keys = { minKeys: maxKeys >>> 1, maxKeys };
  const walk = checkDb(afterTail ?? open.db, keys, problems.tell);
  const checked = await walkRows(kv, head, walk, problems);
  await verifyChecksum(databases, { ...open, db: afterTail ?? open.db }, problems);
  // What hangs below a row that is missing is referred to all the same.
  const strayRows = checked.whole ? await verifyOthers(kv, head, checked, problems) : 0;
  return { datoms: checked.datoms, rows: checked.addresses.size, strayRows };
}

/** Of a graph that today's clients use: the checksum in the head, made anew of the whole database. */
async function verifyChecksum(
  databases: Databases,
  open: OpenDb,
  problems: Problems,
): Promise<void> {
  const checksum = knownChecksum(open.head);
  if (checksum === undefined) return;
  const whole = await problems.catch("the checksum", () => wholeChecksum(databases, open));
  if (whole !== undefined && whole !== checksum) {
    problems.tell("the head", `has the checksum ${checksum}, where the database has ${whole}`);
  }
}

/**
 * The database before its tail, and its version; `undefined` for a graph that nothing was put in.
 *
 * @throws {RowMissingError | CorruptRowError | CorruptValueError | TransitError}
 */
async function openBase(
  kv: Deno.Kv,
  databases: Databases,
  head: Head,
): Promise<{ readonly open: OpenDb; readonly since: T } | undefined> {
  const { t, flushed } = head;
  if (flushed > t) throw new RowMissingError(`The rows are of t ${flushed}, the head of t ${t}`);
  const { t: since, root, tail } = await readBase(kv, head, t);
  if (since < flushed) throw new RowMissingError(`The root of t ${flushed} is missing`);
  if (root === undefined) {
    if (await isEmpty(kv, head)) return undefined;
    throw new RowMissingError("It is missing, though other rows or a log are there");
  }
  const nodes = databases.nodesOf(head);
  const db = openDb(root.content, tail?.content ?? EMPTY_TAIL, nodes);
  return { open: { head, db, nodes, founding: [] }, since };
}
