/** The trees of a database that are stored. All databases that differ in their overlays share them. */

import { TX0 } from "./datom.ts";
import { type Index, ofAttribute } from "./order.ts";
import type { Schema } from "./schema.ts";
import { NodeMissing, type NodeSource } from "./source.ts";
import { EMPTY_TREE, firstOf, type Tree } from "./tree.ts";

export type Trees = Readonly<Record<Index, Tree>>;

/** What the root row says. */
export interface Root {
  readonly schema: Schema;
  readonly trees: Trees;
  readonly maxEid: number;
  readonly maxTx: number;
  /** New nodes get addresses above it. */
  readonly maxAddr: number;
}

/** Addresses at and below this one are never given to a node. */
export const MIN_ADDR = 1_000_000;

const NO_TREES: Trees = Object.freeze({
  eavt: EMPTY_TREE,
  aevt: EMPTY_TREE,
  avet: EMPTY_TREE,
});

/** The root of a database without a datom. */
export function emptyRoot(schema: Schema): Root {
  return { schema, trees: NO_TREES, maxEid: 0, maxTx: TX0, maxAddr: MIN_ADDR };
}

export class Stored {
  /** Of attributes, whether AVET may hold a datom, here or in an overlay. */
  readonly #used = new Map<string, boolean>();

  constructor(readonly root: Root, readonly source: NodeSource) {}

  /**
   * Whether anybody may have this indexed attribute; false where it is certain that nobody has. Of
   * Logseq's 50 ref attributes a graph uses some, and each is looked through for an entity that goes.
   */
  mayHave(a: string): boolean {
    const known = this.#used.get(a);
    if (known !== undefined) return known;
    const used = this.#has(a);
    if (used !== undefined) this.#used.set(a, used);
    return used ?? true;
  }

  /** A datom of it comes into an overlay. */
  use(a: string): void {
    this.#used.set(a, true);
  }

  /** `undefined`: the node that tells is not in memory, and nobody waits for it. */
  #has(a: string): boolean | undefined {
    const range = ofAttribute(a, "avet");
    try {
      return firstOf(this.source, this.root.trees.avet.root, range) !== undefined;
    } catch (thrown) {
      if (!(thrown instanceof NodeMissing)) throw thrown;
      return undefined;
    }
  }
}
