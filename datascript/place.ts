/** Addresses for the new nodes of a tree, and those of old nodes that it has no use for any more. */

import type { Datom } from "./datom.ts";
import type { Node, Ref } from "./node.ts";
import { nodeAt, type NodeSource } from "./source.ts";

/** How many nodes of a tree are not stored yet. */
export function countNewNodes(ref: Ref): number {
  if (typeof ref === "number") return 0;
  return (ref.children ?? []).reduce((sum: number, child) => sum + countNewNodes(child), 1);
}

/** A node all of whose children are placed. */
export interface PlacedNode {
  readonly addr: number;
  readonly keys: readonly Datom[];
  readonly children?: readonly number[];
}

/**
 * Gives every new node an address, children before their parents, and answers the root's.
 *
 * @param into gets the nodes, ascending by addr
 */
export function placeNodes(ref: Ref, nextAddress: () => number, into: PlacedNode[]): number {
  if (typeof ref === "number") return ref;
  const { keys } = ref;
  const children = ref.children?.map((child) => placeNodes(child, nextAddress, into));
  const addr = nextAddress();
  into.push(children === undefined ? { addr, keys } : { addr, keys, children });
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
