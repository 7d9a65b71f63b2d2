/** The trees of a database that are stored. All databases that differ in their overlays share them. */

import { TX0 } from "./datom.ts";
import { type Index, ofAttribute, ofValue } from "./order.ts";
import type { Schema } from "./schema.ts";
import { NodeMissing, type NodeSource } from "./source.ts";
import { EMPTY_TREE, firstOf, seek, type Tree } from "./tree.ts";

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
  /** Attributes of datoms that came into an overlay. */
  readonly #overlaid = new Set<string>();
  /** Of a ref attribute, eids from … to, without the last, that nobody here refers to by it. */
  readonly #gaps = new Map<string, { readonly from: number; readonly to: number }>();

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
    this.#overlaid.add(a);
  }

  /**
   * Whether anybody may refer to an entity by this attribute; false where it is certain that nobody
   * does. To look for it in the tree for each of thousands of entities that go, and each of hundreds
   * of attributes, takes seconds; most are in one gap between those that are referred to.
   */
  mayRefer(a: string, e: number): boolean {
    if (this.#overlaid.has(a)) return true;
    const known = this.#gaps.get(a);
    if (known !== undefined && known.from <= e && e < known.to) return false;
    const range = ofValue(a, e);
    const next = this.#tryRead(() => ({
      datom: seek(this.source, this.root.trees.avet.root, range),
    }));
    // The node that tells is not in memory: who looks for the datoms themselves names it.
    if (next === undefined) return true;
    const { datom } = next;
    const to = datom?.a === a && typeof datom.v === "number" ? datom.v : Infinity;
    if (to <= e) return true;
    this.#gaps.set(a, { from: e, to });
    return false;
  }

  /** `undefined`: the node that tells is not in memory, and nobody waits for it. */
  #has(a: string): boolean | undefined {
    const range = ofAttribute(a, "avet");
    return this.#tryRead(() =>
      firstOf(this.source, this.root.trees.avet.root, range) !== undefined
    );
  }

  /** `undefined`: a node is not in memory. */
  #tryRead<Result>(read: () => Result): Result | undefined {
    try {
      return read();
    } catch (thrown) {
      if (!(thrown instanceof NodeMissing)) throw thrown;
      return undefined;
    }
  }
}
