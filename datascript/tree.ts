/**
 * A B+ tree of datoms as a value: search, and copy-on-write insertion (of many facts at once:
 * merge.ts). Nodes along the way are copied, all others shared with the tree before. Which order the
 * datoms are in is the caller's to say, the same for every call on a tree.
 *
 * Invariants (tree_check.ts): keys ascend; all leaves are at one depth; a branch's key is the greatest
 * of its child; every node but the root holds at least half of `maxKeys`, none more than it.
 */

import type { Datom } from "./datom.ts";
import { CorruptRowError } from "./errors.ts";
import type { Leaf, Node, Ref } from "./node.ts";
import { type CompareDatoms, place, type Range } from "./order.ts";
import { nodeAt, NodeMissing, type NodeSource } from "./source.ts";

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

/** So many nodes are named at once where a stretch lacks more. */
const MOST_NAMED = 8;
/**
 * Leaves on either side that come with one of EAVT: entities that are asked for next, as parents, are
 * mostly close. A new block in a graph of a million datoms took 24 reads one after the other.
 */
const NEIGHBOURS = 2;

/** No tree is higher: with two keys in a node that is as many as there are eids. */
const MAX_LEVELS = 32;
/** Nodes that a stretch may have without a look whether one of them comes twice. */
const UNSEEN_NODES = 1000;

/**
 * Rows come from clients, and may be no tree: a node that is below itself has no end, and one that is
 * below many has as many datoms as there are ways to it.
 */
class Walk {
  #nodes = 0;
  #seen: Set<number> | undefined;

  /** @throws {CorruptRowError} */
  at(address: number): void {
    if (++this.#nodes <= UNSEEN_NODES) return;
    this.#seen ??= new Set();
    if (this.#seen.has(address)) throw new CorruptRowError(`Row ${address} is in its tree twice`);
    this.#seen.add(address);
  }
}

/**
 * Appends the datoms of a stretch to `into`, ascending; of more than `limit` not all.
 *
 * @throws {NodeMissing} `into` is then of no use
 */
export function collect(
  source: NodeSource,
  { root, shift }: Pick<Tree, "root" | "shift">,
  range: Range,
  into: Datom[],
  limit = Infinity,
): void {
  collectBelow(source, nodeAt(source, root), shift, range, into, limit, new Walk());
}

function collectBelow(
  source: NodeSource,
  node: Node,
  level: number,
  range: Range,
  into: Datom[],
  limit: number,
  walk: Walk,
): void {
  const { keys, children } = node;
  for (let i = firstNotBefore(keys, range); i < keys.length; i++) {
    const key = keys[i];
    const ref = children?.[i];
    if (key === undefined || into.length > limit) return;
    const order = place(key, range);
    if (ref !== undefined) {
      const child = typeof ref === "number" ? source.get(ref) : ref;
      if (child === undefined) throw new NodeMissing(missingFrom(source, node, i, level, range));
      if (typeof ref === "number") walk.at(ref);
      collectBelow(source, child, level - 1, range, into, limit, walk);
    } else if (order === 0) into.push(key);
    if (order > 0) return;
  }
}

/** Of a branch's children that a stretch needs from the i-th on, those that are missing. */
function missingFrom(
  source: NodeSource,
  { keys, children = [] }: Node,
  i: number,
  level: number,
  range: Range,
): readonly number[] {
  let end = i + 1;
  for (; end < keys.length && end - i < MOST_NAMED; end++) {
    const key = keys[end - 1];
    if (key === undefined || place(key, range) > 0) break;
  }
  const beside = level === 1 && range.index === "eavt" ? NEIGHBOURS : 0;
  return children.slice(Math.max(0, i - beside), end + beside)
    .filter((ref) => typeof ref === "number")
    .filter((address) => source.get(address) === undefined);
}

/** The first datom that is not before the stretch, whether or not it is in it. */
export function seek(source: NodeSource, ref: Ref, range: Range): Datom | undefined {
  let node = nodeAt(source, ref);
  for (let level = 0; level <= MAX_LEVELS; level++) {
    const i = firstNotBefore(node.keys, range);
    const child = node.children?.[i];
    if (child === undefined) return node.keys[i];
    node = nodeAt(source, child);
  }
  throw new CorruptRowError(`A tree has more than ${MAX_LEVELS} levels`);
}

/** The first datom of a stretch. */
export function firstOf(source: NodeSource, ref: Ref, range: Range): Datom | undefined {
  const datom = seek(source, ref, range);
  return datom !== undefined && place(datom, range) === 0 ? datom : undefined;
}

/** Index of the first key that is not before the stretch. */
function firstNotBefore(keys: readonly Datom[], range: Range): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const key = keys[middle];
    if (key !== undefined && place(key, range) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The same for a datom; with one search for both, and a function made for each, it takes half as long again. */
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

/** How a tree is kept. */
export interface TreeRules {
  readonly source: NodeSource;
  readonly compare: CompareDatoms;
  readonly maxKeys: number;
}

/** How a tree is edited. */
export interface Edit extends TreeRules {
  /**
   * Who edits: nodes that were made for one owner are changed in place for it from then on, so trees
   * before the last one are of no use any more. Without one every insertion copies.
   */
  readonly owner?: object;
}

/**
 * The tree with a datom more, or with this one in place of an equal one.
 *
 * @throws {NodeMissing}
 */
export function insert(edit: Edit, tree: Tree, datom: Datom): Tree {
  const insertion = new Insertion(edit, datom);
  const root = insertion.into(nodeAt(edit.source, tree.root));
  const count = tree.count + insertion.more;
  const { rest } = insertion;
  if (rest === undefined) return { root, shift: tree.shift, count };
  const children = [root, rest];
  return { root: { keys: children.map(greatest), children }, shift: tree.shift + 1, count };
}

/** A node that its owner changes in place. */
type OwnNode =
  | { readonly keys: Datom[]; readonly children: undefined; readonly owner: object }
  | { readonly keys: Datom[]; readonly children: Ref[]; readonly owner: object };

class Insertion {
  /** How many datoms there are more than before: 0 or 1. */
  more = 0;
  /** What comes behind the node that was answered last, where that got too many keys. */
  rest: OwnNode | undefined;
  readonly #edit: Edit;
  readonly #datom: Datom;
  readonly #owner: object;

  constructor(edit: Edit, datom: Datom) {
    this.#edit = edit;
    this.#datom = datom;
    this.#owner = edit.owner ?? {};
  }

  /** The node with the datom. */
  into(node: Node): OwnNode {
    const { compare, maxKeys } = this.#edit;
    const i = firstNotLess(node.keys, this.#datom, compare);
    const own = this.#own(node);
    if (own.children === undefined) {
      const key = own.keys[i];
      const equals = key !== undefined && compare(key, this.#datom) === 0 ? 1 : 0;
      own.keys.splice(i, equals, this.#datom);
      this.more = 1 - equals;
    } else {
      const at = Math.min(i, own.keys.length - 1);
      const child = this.into(this.#childAt(own.children, at));
      own.children[at] = child;
      own.keys[at] = greatest(child);
      if (this.rest !== undefined) {
        own.children.splice(at + 1, 0, this.rest);
        own.keys.splice(at + 1, 0, greatest(this.rest));
      }
    }
    this.rest = own.keys.length > maxKeys ? this.#cutOff(own) : undefined;
    return own;
  }

  #childAt(children: readonly Ref[], i: number): Node {
    const child = children[i];
    if (child === undefined) throw new RangeError(`Cannot take child ${i} of ${children.length}`);
    return nodeAt(this.#edit.source, child);
  }

  #own(node: Node): OwnNode {
    return isOwn(node, this.#owner) ? node : this.#made(node.keys.slice(), node.children?.slice());
  }

  #made(keys: Datom[], children: Ref[] | undefined): OwnNode {
    const owner = this.#owner;
    return children === undefined ? { keys, children, owner } : { keys, children, owner };
  }

  /** The upper half of a node, which keeps the lower one. */
  #cutOff({ keys, children }: OwnNode): OwnNode {
    const half = keys.length >>> 1;
    return this.#made(keys.splice(half), children?.splice(half));
  }
}

function isOwn(node: Node, owner: object): node is Node & OwnNode {
  return "owner" in node && node.owner === owner;
}

function greatest(node: Node): Datom {
  const last = node.keys.at(-1);
  if (last === undefined) throw new RangeError("Cannot put an empty node below a branch");
  return last;
}
