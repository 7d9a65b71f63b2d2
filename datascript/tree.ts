/**
 * A B+ tree of datoms as a value: search, and copy-on-write insertion (of many facts at once:
 * merge.ts). Nodes along the way are copied, all others shared with the tree before. Which order the
 * datoms are in is the caller's to say, the same for every call on a tree.
 *
 * Invariants (tree_check.ts): keys ascend; all leaves are at one depth; a branch's key is the greatest
 * of its child; every node but the root holds at least half of `maxKeys`, none more than it.
 */

import type { Datom } from "./datom.ts";
import type { Branch, Leaf, Node, Ref } from "./node.ts";
import type { CompareDatoms, Range } from "./order.ts";
import { nodeAt, type NodeSource } from "./source.ts";

/** Logseq's branching factor: a node holds 16 to 32 keys. */
export const BRANCHING_FACTOR = 32;

export interface Tree {
  readonly root: Ref;
  /** Levels above the leaves: 0 when the root is a leaf. */
  readonly shift: number;
  /** Datoms in the leaves. */
  readonly count: number;
}

export const EMPTY_LEAF: Leaf = Object.freeze({ keys: Object.freeze([]) });
export const EMPTY_TREE: Tree = Object.freeze({ root: EMPTY_LEAF, shift: 0, count: 0 });

type Place = Range["place"];

/**
 * Appends the datoms of a stretch to `into`, ascending.
 *
 * @throws {NodeMissing} `into` is then of no use
 */
export function collect(source: NodeSource, ref: Ref, place: Place, into: Datom[]): void {
  const { keys, children } = nodeAt(source, ref);
  for (let i = firstNotBefore(keys, place); i < keys.length; i++) {
    const key = keys[i];
    const child = children?.[i];
    if (key === undefined) return;
    const order = place(key);
    if (child !== undefined) collect(source, child, place, into);
    else if (order === 0) into.push(key);
    if (order > 0) return;
  }
}

/** The first datom that is not before the stretch, whether or not it is in it. */
export function seek(source: NodeSource, ref: Ref, place: Place): Datom | undefined {
  for (let node = nodeAt(source, ref);;) {
    const i = firstNotBefore(node.keys, place);
    const child = node.children?.[i];
    if (child === undefined) return node.keys[i];
    node = nodeAt(source, child);
  }
}

/** Index of the first key whose place is not negative. */
function firstNotBefore(keys: readonly Datom[], place: Place): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const key = keys[middle];
    if (key !== undefined && place(key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The same for a place that a datom has; without a function made for each it takes two thirds. */
function firstNotLess(keys: readonly Datom[], datom: Datom, compare: CompareDatoms): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const key = keys[middle];
    if (key !== undefined && compare(key, datom) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** How a tree is edited. */
export interface Edit {
  readonly source: NodeSource;
  readonly compare: CompareDatoms;
  readonly maxKeys: number;
}

/**
 * The tree with a datom more, or with this one in place of an equal one.
 *
 * @throws {NodeMissing}
 */
export function insert(edit: Edit, tree: Tree, datom: Datom): Tree {
  const { nodes, more } = insertInto(edit, nodeAt(edit.source, tree.root), datom);
  const count = tree.count + more;
  const [only] = nodes;
  return nodes.length === 1 && only !== undefined
    ? { root: only, shift: tree.shift, count }
    : { root: branchOf(nodes), shift: tree.shift + 1, count };
}

/** One or two nodes in place of one, and how many datoms more there are in them: 0 or 1. */
interface Inserted {
  readonly nodes: readonly Node[];
  readonly more: number;
}

function insertInto(edit: Edit, node: Node, datom: Datom): Inserted {
  const i = firstNotLess(node.keys, datom, edit.compare);
  if (node.children === undefined) {
    const key = node.keys[i];
    const equals = key !== undefined && edit.compare(key, datom) === 0 ? 1 : 0;
    const nodes = splitIfFull(edit, { keys: node.keys.toSpliced(i, equals, datom) });
    return { nodes, more: 1 - equals };
  }
  const at = Math.min(i, node.children.length - 1);
  const { nodes, more } = insertInto(edit, childAt(edit, node, at), datom);
  return { nodes: splitIfFull(edit, replaced(node, at, nodes)), more };
}

function childAt(edit: Edit, node: Branch, i: number): Node {
  const child = node.children[i];
  if (child === undefined) throw new RangeError(`Cannot take child ${i} of ${node.keys.length}`);
  return nodeAt(edit.source, child);
}

/** The branch with these in place of a child. */
function replaced(node: Branch, at: number, nodes: readonly Node[]): Branch {
  const [only] = nodes;
  if (nodes.length === 1 && only !== undefined) {
    const key = greatest(only);
    const keys = key === node.keys[at] ? node.keys : node.keys.with(at, key);
    return { keys, children: node.children.with(at, only) };
  }
  return {
    keys: node.keys.toSpliced(at, 1, ...nodes.map(greatest)),
    children: node.children.toSpliced(at, 1, ...nodes),
  };
}

function splitIfFull(edit: Edit, node: Node): readonly Node[] {
  const { keys, children } = node;
  if (keys.length <= edit.maxKeys) return [node];
  const half = keys.length >>> 1;
  const part = (from: number, to: number): Node =>
    children === undefined
      ? { keys: keys.slice(from, to) }
      : { keys: keys.slice(from, to), children: children.slice(from, to) };
  return [part(0, half), part(half, keys.length)];
}

function branchOf(nodes: readonly Node[]): Branch {
  return { keys: nodes.map(greatest), children: nodes };
}

function greatest(node: Node): Datom {
  const last = node.keys.at(-1);
  if (last === undefined) throw new RangeError("Cannot put an empty node below a branch");
  return last;
}
