/** The port by which stored nodes come in. The engine is synchronous: what it lacks, it names. */

import type { Node, Ref } from "./node.ts";

/** Nodes that are in memory. */
export interface NodeSource {
  /** The node at an address, or `undefined` when it has to be loaded first. */
  get(address: number): Node | undefined;
}

/**
 * Thrown out of the engine: load these and run again. No Error, since it is none, and since a stack
 * for each was 3 % of a batch's time.
 */
export class NodeMissing {
  constructor(readonly addresses: readonly number[]) {}

  toString(): string {
    return `Cannot go on without the nodes at addresses ${this.addresses.join(", ")}`;
  }
}

/**
 * Does the work for each item even where nodes are missing for others, so that all of them are named
 * at once.
 *
 * @throws {NodeMissing}
 */
export function forEachItem<Item, Result>(
  items: Iterable<Item>,
  work: (item: Item) => Result,
): readonly Result[] {
  const results: Result[] = [];
  const missing = new Set<number>();
  for (const item of items) {
    try {
      results.push(work(item));
    } catch (thrown) {
      if (!(thrown instanceof NodeMissing)) throw thrown;
      for (const address of thrown.addresses) missing.add(address);
    }
  }
  if (missing.size > 0) throw new NodeMissing([...missing]);
  return results;
}

/** @throws {NodeMissing} */
export function nodeAt(source: NodeSource, ref: Ref): Node {
  if (typeof ref !== "number") return ref;
  const node = source.get(ref);
  if (node === undefined) throw new NodeMissing([ref]);
  return node;
}

/** For trees that are wholly in memory. */
export const NO_SOURCE: NodeSource = { get: () => undefined };
