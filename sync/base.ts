/** What a graph's tail goes on top of: the root and tail rows as they were imported, or a flush's root. */
import { readRoot } from "../kv/flushes.ts";
import { type Head, type HeadState, readHead } from "../kv/head.ts";
import { lastAddr, readRowsMany, type Row } from "../kv/rows.ts";
import { ROOT_ADDR, type T, T_ZERO, TAIL_ADDR } from "../protocol/ids.ts";

/** Rows 0 and 1 as of a version; the log's entries after it are not in them. */
export interface Base {
  readonly t: T;
  readonly root: Row | undefined;
  readonly tail: Row | undefined;
}

/**
 * The last base at or before t that this head knows. One read; where nothing was flushed a graph may well
 * have no such rows.
 *
 * @param t of the head, or before it and not long ago: older bases are swept
 */
export async function readBase(kv: Deno.Kv, head: Head, t: T): Promise<Base> {
  const { graph, rows, flushed } = head;
  // A root of a flush that came after the head was read may need nodes that its reader hasn't listed.
  const known = t < flushed ? t : flushed;
  const flush = flushed === T_ZERO ? undefined : await readRoot(kv, graph, rows, known);
  if (flush !== undefined) {
    const root = { addr: ROOT_ADDR, content: flush.content, addresses: null };
    return { t: flush.t, root, tail: undefined };
  }
  const both = await readRowsMany(kv, graph, rows, [ROOT_ADDR, TAIL_ADDR]);
  return { t: T_ZERO, root: both.get(ROOT_ADDR), tail: both.get(TAIL_ADDR) };
}

/** Whether what is at an address in the one is the same in the other. */
export function hasSameRows(one: HeadState, other: HeadState): boolean {
  return one.rows === other.rows && one.rowsVersion === other.rowsVersion;
}

/** Whether both are on top of the same base, of one log: only batches came between them, if anything. */
export function hasSameBase(one: HeadState, other: HeadState): boolean {
  return one.log === other.log && one.flushed === other.flushed && hasSameRows(one, other);
}

/**
 * Whether the first batch came between these two, which writes the rows of a graph that has none: of
 * what was read meanwhile some may be missing.
 */
export function wasFounded(before: Head, after: Head): boolean {
  return before.t === T_ZERO && after.t !== T_ZERO;
}

/**
 * What is read of a head's rows and log; `undefined`: other rows came meanwhile, so that it may be of both,
 * or lack what was swept behind a reset or an import.
 *
 * @throws what reading throws, unless other rows came
 */
export async function readSteady<Result>(
  kv: Deno.Kv,
  head: Head,
  read: () => Promise<Result>,
): Promise<{ readonly result: Result } | undefined> {
  const [settled] = await Promise.allSettled([read()]);
  const now = await readHead(kv, head.graph);
  if (now === undefined || !hasSameRows(now, head) || wasFounded(head, now)) return undefined;
  if (settled.status === "rejected") throw settled.reason;
  return { result: settled.value };
}

/** Whether nothing was put into the graph yet: it has neither a log nor rows. One read at most. */
export async function isEmpty(kv: Deno.Kv, { graph, rows, t }: Head): Promise<boolean> {
  return t === T_ZERO && await lastAddr(kv, graph, rows) === undefined;
}
