/** The trees of a database that are stored. All databases that differ in their overlays share them. */

import { TX0 } from "./datom.ts";
import { type Index, ofAttribute, ofValue } from "./order.ts";
import type { Schema } from "./schema.ts";
import { NodeMissing, type NodeSource } from "./source.ts";
import { EMPTY_TREE, firstOf, seek, type Tree } from "./tree.ts";
import type { Value } from "./value.ts";

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
const LAST_RESERVED_ADDR = 1_000_000;

const NO_TREES: Trees = Object.freeze({
  eavt: EMPTY_TREE,
  aevt: EMPTY_TREE,
  avet: EMPTY_TREE,
});

/** The root of a database without a datom. */
export function emptyRoot(schema: Schema): Root {
  return { schema, trees: NO_TREES, maxEid: 0, maxTx: TX0, maxAddr: LAST_RESERVED_ADDR };
}

/** Eids from … to, without the last. */
interface Gap {
  readonly from: number;
  readonly to: number;
}

export class Stored {
  /** Values of datoms of indexed attributes that came into an overlay: the numbers among them, by attribute. */
  readonly #overlaid = new Map<string, Set<number>>();
  /** Of a ref attribute, entities that nobody in the trees refers to by it. */
  readonly #gaps = new Map<string, Gap>();

  constructor(readonly root: Root, readonly source: NodeSource) {}

  /** A datom of an indexed attribute comes into an overlay. */
  use(a: string, v: Value): void {
    if (typeof v !== "number") return;
    const known = this.#overlaid.get(a);
    if (known === undefined) this.#overlaid.set(a, new Set([v]));
    else known.add(v);
  }

  /**
   * Whether anybody may refer to an entity by this attribute; false where it is certain that nobody
   * does. To look for it in the tree for each of thousands of entities that go, and each of hundreds
   * of attributes, takes seconds; most are in one gap between those that are referred to.
   */
  mayRefer(a: string, e: number): boolean {
    if (this.#overlaid.get(a)?.has(e)) return true;
    const known = this.#gaps.get(a);
    if (known !== undefined && known.from <= e && e < known.to) return false;
    const gap = this.#gapAt(a, e);
    if (gap === undefined) return true;
    this.#gaps.set(a, gap);
    return false;
  }

  /** `undefined`: somebody refers to it, or the node that tells is not in memory. */
  #gapAt(a: string, e: number): Gap | undefined {
    const { source } = this;
    const { root } = this.root.trees.avet;
    try {
      const next = seek(source, root, ofValue(a, e));
      const to = next?.a === a && typeof next.v === "number" ? next.v : Infinity;
      if (to <= e) return undefined;
      // Of Logseq's 50 ref attributes a graph uses some.
      const isUnused = to === Infinity &&
        firstOf(source, root, ofAttribute(a, "avet")) === undefined;
      return { from: isUnused ? -Infinity : e, to };
    } catch (thrown) {
      if (!(thrown instanceof NodeMissing)) throw thrown;
      return undefined;
    }
  }
}
