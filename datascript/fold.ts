/**
 * Folds what changed (a database's overlay) into the stored trees: copy on write, so that whoever
 * reads the old trees goes on reading them. Then gives the new nodes addresses and makes rows of
 * them.
 */

import type { Datom } from "./datom.ts";
import { encodeNode, type Node, type NodeRow, type Ref } from "./node.ts";
import { compareDatoms, compareFacts, type Index } from "./order.ts";
import { forEachItem, nodeAt, type NodeSource } from "./source.ts";
import { BRANCHING_FACTOR, type Edit, find, insert, remove, type Tree } from "./tree.ts";

/** How the stored tree of an index is edited. */
export function storedEdit(index: Index, source: NodeSource, maxKeys = BRANCHING_FACTOR): Edit {
  return { source, compare: compareDatoms[index], maxKeys };
}

/**
 * The tree with some facts of the overlay in it: each takes the place of the stored one, or takes it
 * away.
 *
 * @throws {NodeMissing} first for all facts at once, then for neighbours one by one
 */
export function fold(index: Index, edit: Edit, tree: Tree, facts: readonly Datom[]): Tree {
  const byFact = { ...edit, compare: compareFacts[index] };
  const storedOf = (from: Tree, fact: Datom): Datom | undefined => find(byFact, from, fact);
  forEachItem(facts, (fact) => storedOf(tree, fact));
  return facts.reduce((before, fact) => {
    let after = before;
    for (let old = storedOf(after, fact); old !== undefined; old = storedOf(after, fact)) {
      if (fact.added && old.tx === fact.tx) return after;
      after = remove(edit, after, old);
    }
    return fact.added ? insert(edit, after, fact) : after;
  }, tree);
}

/** How many nodes of a tree are not stored yet. */
export function countNewNodes(ref: Ref): number {
  if (typeof ref === "number") return 0;
  return (ref.children ?? []).reduce((sum: number, child) => sum + countNewNodes(child), 1);
}

/** A row to be written, and the node that it will be read as. */
export interface AddressedRow extends NodeRow {
  readonly addr: number;
  readonly node: Node;
}

/**
 * Gives every new node an address, children before their parents, and answers the root's.
 *
 * @param into gets the rows, ascending by addr
 */
export function storeNodes(ref: Ref, nextAddress: () => number, into: AddressedRow[]): number {
  if (typeof ref === "number") return ref;
  const children = ref.children?.map((child) => storeNodes(child, nextAddress, into));
  const addr = nextAddress();
  const node = children === undefined ? { keys: ref.keys } : { keys: ref.keys, children };
  into.push({ addr, node, ...encodeNode(ref.keys, children) });
  return addr;
}

/** Addresses of the old tree's nodes that the new tree has no use for. */
export function droppedAddresses(source: NodeSource, old: Ref, now: Ref): readonly number[] {
  const kept = new Set<number>();
  keptBelow(now, kept);
  const dropped: number[] = [];
  const visit = (ref: Ref): void => {
    if (typeof ref === "number") {
      if (kept.has(ref)) return;
      dropped.push(ref);
    }
    const node: Node = nodeAt(source, ref);
    for (const child of node.children ?? []) {
      // A leaf that is kept is not read, and one that was dropped was read to be changed.
      if (typeof child !== "number" || !kept.has(child)) visit(child);
    }
  };
  visit(old);
  return dropped;
}

/** The stored nodes that new ones refer to. */
function keptBelow(ref: Ref, kept: Set<number>): void {
  if (typeof ref === "number") kept.add(ref);
  else for (const child of ref.children ?? []) keptBelow(child, kept);
}
