/** The port by which stored nodes come in. The engine is synchronous: what it lacks, it names. */

import type { Node, Ref } from "./node.ts";

/** Nodes that are in memory. */
export interface NodeSource {
  /** The node at an address, or `undefined` when it has to be loaded first. */
  get(address: number): Node | undefined;
}

/** Thrown out of the engine: load these and run again. */
export class NodeMissing extends Error {
  override readonly name = "NodeMissing";
  constructor(readonly address: number) {
    super(`Cannot go on without the node at address ${address}`);
  }
}

/** @throws {NodeMissing} */
export function nodeAt(source: NodeSource, ref: Ref): Node {
  if (typeof ref !== "number") return ref;
  const node = source.get(ref);
  if (node === undefined) throw new NodeMissing(ref);
  return node;
}

/** For trees that are wholly in memory. */
export const NO_SOURCE: NodeSource = { get: () => undefined };
