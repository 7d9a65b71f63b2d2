/** The rows of a graph, held against what its trees need. Problems are told as they are found. */
import type { CheckedDb } from "../datascript/db_check.ts";
import { decodeNode, type Node, type Ref } from "../datascript/node.ts";
import type { Walk } from "../datascript/tree_check.ts";
import { firstClaimed, isClaimed, listClaims, listDropped } from "../kv/flushes.ts";
import type { Head } from "../kv/head.ts";
import { listAddrs, readRow, readRowsMany, type Row } from "../kv/rows.ts";
import { type Addr, parseAddr, TAIL_ADDR } from "../protocol/ids.ts";
import { isDamage, type Problems } from "./problems.ts";

/** Rows that are read at once. */
const SOME = 500;

/** Drives a walk with the rows of a head. */
export async function walkRows<Result>(
  kv: Deno.Kv,
  head: Head,
  walk: Walk<Result>,
  problems: Problems,
): Promise<Result> {
  let step = walk.next();
  while (!step.done) step = walk.next(await readNodes(kv, head, step.value, problems));
  return step.value;
}

async function readNodes(
  kv: Deno.Kv,
  head: Head,
  refs: readonly Ref[],
  problems: Problems,
): Promise<readonly (Node | undefined)[]> {
  const rows = await readEach(
    kv,
    head,
    refs.map(parseAddr).filter((addr) => addr !== undefined),
    problems,
  );
  return refs.map((ref) => {
    if (typeof ref !== "number") return ref;
    const addr = parseAddr(ref);
    const row = addr === undefined ? undefined : rows.get(addr);
    if (row === undefined) problems.tell(`row ${ref}`, "is missing");
    return row === "unreadable" || row === undefined
      ? undefined
      : problems.catchNow(`row ${ref}`, () => decodeNode(row));
  });
}

/** Rows by address; one that can't be read doesn't keep the others away. */
async function readEach(
  kv: Deno.Kv,
  { graph, rows }: Head,
  addrs: readonly Addr[],
  problems: Problems,
): Promise<ReadonlyMap<Addr, Row | "unreadable">> {
  try {
    return await readRowsMany(kv, graph, rows, addrs);
  } catch (cause) {
    if (!isDamage(cause)) throw cause;
  }
  const found = new Map<Addr, Row | "unreadable">();
  for (const addr of addrs) {
    const row = await problems.catch(
      `row ${addr}`,
      async () => ({ read: await readRow(kv, graph, rows, addr) }),
    );
    if (row === undefined) found.set(addr, "unreadable");
    else if (row.read !== undefined) found.set(addr, row.read);
  }
  return found;
}

/**
 * Looks at the rows that no tree refers to. Those that a flush made useless, or is writing, are
 * there for a while. Others at addresses that flushes gave away are nobody's. What is below came by
 * an import, which may well bring rows that nothing refers to: how many is the answer.
 */
export async function verifyOthers(
  kv: Deno.Kv,
  head: Head,
  { addresses }: CheckedDb,
  problems: Problems,
): Promise<number> {
  const { graph, rows } = head;
  const others: Addr[] = [];
  for await (const addr of listAddrs(kv, graph, rows)) {
    if (addr > TAIL_ADDR && !addresses.has(addr)) others.push(addr);
  }
  // Only now: a row that was listed was written under a claim that is older than the list.
  const claims = await listClaims(kv, graph, rows);
  const dropped = new Set<number>();
  for await (const { addrs } of listDropped(kv, graph, rows)) {
    for (const addr of addrs) dropped.add(addr);
  }
  const first = await firstClaimed(kv, graph, rows) ?? Infinity;
  const isExpected = (addr: Addr): boolean => dropped.has(addr) || isClaimed(claims, addr);
  let imported = 0;
  for (let start = 0; start < others.length; start += SOME) {
    const some = others.slice(start, start + SOME);
    // A sweep may have taken them by now.
    for (const [addr, row] of await readEach(kv, head, some, problems)) {
      if (row === "unreadable") continue;
      if (isExpected(addr)) problems.catchNow(`row ${addr}`, () => decodeNode(row));
      else if (addr < first) imported++;
      else problems.tell(`row ${addr}`, "is of no use to any tree");
    }
  }
  return imported;
}
