/**
 * Whether rows make a database: the way down its trees, without opening it. Nothing about the rows
 * is taken for granted, since clients send them.
 */
import type { Datom } from "../datascript/datom.ts";
import type { Root } from "../datascript/stored.ts";
import { CorruptRowError } from "../datascript/errors.ts";
import { decodeNode, type Node } from "../datascript/node.ts";
import { compareFacts, type Index, INDEXES } from "../datascript/order.ts";
import { decodeRoot, decodeTail } from "../datascript/root.ts";
import { TransitError } from "../datascript/transit.ts";
import { CorruptValueError } from "../kv/chunks.ts";
import { lastAddr, listAddrs, readRow, readRowsEach, type Row } from "../kv/rows.ts";
import {
  type Addr,
  type Generation,
  type GraphId,
  parseAddr,
  ROOT_ADDR,
  TAIL_ADDR,
} from "../protocol/ids.ts";

/** Where rows are. */
export interface RowsPlace {
  readonly kv: Deno.Kv;
  readonly graph: GraphId;
  readonly rows: Generation;
}

/** Rows are no database; the message says why. */
export class RowsUnfitError extends Error {
  override readonly name = "RowsUnfitError";
}

/** Nodes that are read at once: GET_MANY_CALLS calls of GET_MANY_KEYS. */
const AT_ONCE = 80;

/** Levels of a tree: with 16 keys in a node more than there can be datoms. */
const MAX_SHIFT = 16;

/** A node that a tree refers to. */
interface Reference {
  readonly address: number;
  /** 0: a leaf. */
  readonly level: number;
  /** What the branch above says is the greatest datom below; the tree's root has none above. */
  readonly greatest: Datom | undefined;
}

/**
 * Looks at all rows that the root needs, each of them once: they are there, they are nodes, and what
 * is below a branch is what its keys say. So parts of two databases, which may well have the same
 * addresses, are not taken for one. No rows at all are an empty graph.
 *
 * Cost: reads every node, about 80 at a time, and decodes one at a time, as each may have megabytes;
 * the addresses seen are in memory.
 *
 * @returns what is wrong, to end the sentence "The rows are no database: …"
 */
export async function faultOfRows(place: RowsPlace): Promise<string | undefined> {
  const { kv, graph, rows } = place;
  if (await lastAddr(kv, graph, rows) === undefined) return undefined;
  try {
    const row = await readRow(kv, graph, rows, ROOT_ADDR);
    if (row === undefined) throw new RowsUnfitError("there is no root");
    const root = decodeRoot(row.content);
    const tail = await readRow(kv, graph, rows, TAIL_ADDR);
    if (tail !== undefined) decodeTail(tail.content);
    await visitTrees(place, root, { leaves: true });
    return undefined;
  } catch (thrown) {
    if (!isUnfit(thrown)) throw thrown;
    return thrown.message;
  }
}

/**
 * The addresses of all nodes that a root needs. Branches have been read, and leaves not.
 *
 * Cost: reads and decodes every branch, one row in twenty.
 *
 * @throws {RowsUnfitError | CorruptRowError | TransitError} a branch is missing, or is none
 */
export async function addressesBelow(place: RowsPlace, root: Root): Promise<Set<number>> {
  return await visitTrees(place, root, { leaves: false });
}

/**
 * Whether all rows are there that this root needs. What is no root is not for this to judge.
 *
 * Cost: reads and decodes every branch, and lists all rows.
 */
export async function isWhole(place: RowsPlace, row: Row): Promise<boolean> {
  const { kv, graph, rows } = place;
  const root = rootOf(row);
  if (root === undefined) return true;
  try {
    const needed = await addressesBelow(place, root);
    for await (const addr of listAddrs(kv, graph, rows)) needed.delete(addr);
    return needed.size === 0;
  } catch (thrown) {
    if (!isUnfit(thrown)) throw thrown;
    return false;
  }
}

function rootOf({ content }: Row): Root | undefined {
  try {
    return decodeRoot(content);
  } catch (thrown) {
    if (!isUnfit(thrown)) throw thrown;
    return undefined;
  }
}

function isUnfit(thrown: unknown): thrown is Error {
  return thrown instanceof RowsUnfitError || thrown instanceof CorruptRowError ||
    // A row that two uploads have written parts of.
    thrown instanceof TransitError || thrown instanceof CorruptValueError;
}

/** @returns the addresses of all nodes */
async function visitTrees(
  place: RowsPlace,
  root: Root,
  { leaves }: { readonly leaves: boolean },
): Promise<Set<number>> {
  const seen = new Set<number>();
  for (const index of INDEXES) {
    const { root: top, shift } = root.trees[index];
    if (typeof top !== "number" || shift < 0 || shift > MAX_SHIFT) {
      throw new RowsUnfitError(`its ${index} can't have ${shift} levels`);
    }
    const open: Reference[] = [{ address: top, level: shift, greatest: undefined }];
    while (open.length > 0) {
      // From the end: so what is open stays as small as the tree is high.
      const some = open.splice(-AT_ONCE);
      for (const { address } of some) {
        // Also what keeps a tree that refers to itself from having no end.
        if (seen.has(address)) throw new RowsUnfitError(`row ${address} is in its trees twice`);
        seen.add(address);
      }
      const wanted = leaves ? some : some.filter(({ level }) => level > 0);
      open.push(...await visit(place, index, wanted));
    }
  }
  return seen;
}

/** @returns what the nodes refer to in turn */
async function visit(
  { kv, graph, rows }: RowsPlace,
  index: Index,
  references: readonly Reference[],
): Promise<readonly Reference[]> {
  const byAddr = new Map(references.map((reference) => [addrOf(reference.address), reference]));
  const below: Reference[] = [];
  for await (const row of readRowsEach(kv, graph, rows, [...byAddr.keys()])) {
    const reference = byAddr.get(row.addr);
    if (reference === undefined) continue;
    byAddr.delete(row.addr);
    below.push(...childrenOf(reference, nodeOf(index, reference, row)));
  }
  for (const { address } of byAddr.values()) throw new RowsUnfitError(`row ${address} is missing`);
  return below;
}

function childrenOf({ level }: Reference, { keys, children }: Node): readonly Reference[] {
  return (children ?? []).map((address, child): Reference => {
    if (typeof address === "number") return { address, level: level - 1, greatest: keys[child] };
    throw new RowsUnfitError("a stored node holds another one");
  });
}

function nodeOf(
  index: Index,
  { address, level, greatest }: Reference,
  row: Row,
): Node {
  const node = decodeNode(row);
  if ((node.children === undefined) !== (level === 0)) {
    throw new RowsUnfitError(`row ${address} is not of level ${level}`);
  }
  const last = node.keys.at(-1);
  if (greatest === undefined) return node;
  if (last === undefined || compareFacts[index](last, greatest) !== 0) {
    throw new RowsUnfitError(`row ${address} is not what the row above says`);
  }
  return node;
}

function addrOf(address: number): Addr {
  const addr = parseAddr(address);
  if (addr === undefined) throw new RowsUnfitError(`there can be no row ${address}`);
  return addr;
}
