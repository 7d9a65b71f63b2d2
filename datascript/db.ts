/**
 * A database as a value: the trees that are stored, and over them what was changed since (the
 * overlay), so that a change touches no stored node.
 *
 * The overlay is three trees in memory, of at most one datom for each fact, the last one: it stands
 * in the place of the stored one, or with `added` false takes it away.
 */

import { type Datom, TX0 } from "./datom.ts";
import { all, compareFacts, type Index, ofEntity, ofValue, type Range } from "./order.ts";
import { isSchemaAttribute, Schema } from "./schema.ts";
import { NO_SOURCE, type NodeSource } from "./source.ts";
import {
  BRANCHING_FACTOR,
  collect,
  type Edit,
  EMPTY_TREE,
  insert,
  seek,
  type Tree,
} from "./tree.ts";
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
export const MIN_ADDR = 1_000_000;

export const NO_TREES: Trees = Object.freeze({
  eavt: EMPTY_TREE,
  aevt: EMPTY_TREE,
  avet: EMPTY_TREE,
});

/** The root of a database without a datom. */
export function emptyRoot(schema: Schema): Root {
  return { schema, trees: NO_TREES, maxEid: 0, maxTx: TX0, maxAddr: MIN_ADDR };
}

const IN_MEMORY: Readonly<Record<Index, Edit>> = Object.freeze({
  eavt: { source: NO_SOURCE, compare: compareFacts.eavt, maxKeys: BRANCHING_FACTOR },
  aevt: { source: NO_SOURCE, compare: compareFacts.aevt, maxKeys: BRANCHING_FACTOR },
  avet: { source: NO_SOURCE, compare: compareFacts.avet, maxKeys: BRANCHING_FACTOR },
});

interface State {
  readonly root: Root;
  readonly source: NodeSource;
  readonly overlay: Trees;
  readonly schema: Schema;
  readonly maxEid: number;
  readonly maxTx: number;
}

/** Reads may throw NodeMissing (source.ts): the caller loads the node and starts again. */
export class Db {
  readonly #state: State;

  private constructor(state: State) {
    this.#state = state;
  }

  /** The database of a root row, without any tail yet. */
  static open(root: Root, source: NodeSource): Db {
    const { schema, maxEid, maxTx } = root;
    return new Db({ root, source, overlay: NO_TREES, schema, maxEid, maxTx });
  }

  get root(): Root {
    return this.#state.root;
  }

  get schema(): Schema {
    return this.#state.schema;
  }

  /** The greatest eid ever given. */
  get maxEid(): number {
    return this.#state.maxEid;
  }

  /** The id of the last transaction. */
  get maxTx(): number {
    return this.#state.maxTx;
  }

  /** How many datoms the overlay holds, taken away ones included: what opening it again costs. */
  get overlaySize(): number {
    return this.#state.overlay.eavt.count;
  }

  /** What the overlay changes in an index, ascending: a fact that is not `added` is gone. */
  changes(index: Index): readonly Datom[] {
    const facts: Datom[] = [];
    collect(NO_SOURCE, this.#state.overlay[index].root, () => 0, facts);
    return facts;
  }

  /** The datoms of a stretch, ascending. */
  datoms({ index, place }: Range): readonly Datom[] {
    const { root, source, overlay } = this.#state;
    const stored: Datom[] = [];
    collect(source, root.trees[index].root, place, stored);
    if (overlay[index].count === 0) return stored;
    const over: Datom[] = [];
    collect(NO_SOURCE, overlay[index].root, place, over);
    return over.length === 0 ? stored : layered(stored, over, compareFacts[index]);
  }

  /** The datoms of an entity, of one attribute of it, or with one value there. */
  ofEntity(e: number, a?: string, v?: Value): readonly Datom[] {
    return this.datoms(ofEntity(e, a, v));
  }

  /** The value of a single-valued attribute of an entity. */
  value(e: number, a: string): Value | undefined {
    return this.ofEntity(e, a)[0]?.v;
  }

  /** The entities that have this value, ascending. The attribute must be an indexed one. */
  entitiesWith(a: string, v: Value): readonly number[] {
    return this.datoms(ofValue(a, v)).map((datom) => datom.e);
  }

  /**
   * The first entity from `fromE` on that has this value. Without reading all that have it; the
   * attribute must be an indexed one.
   */
  firstEntityWith(a: string, v: Value, fromE: number): number | undefined {
    const { root, source, overlay } = this.#state;
    for (let e = fromE;;) {
      const { place } = ofValue(a, v, e);
      const found = [
        seek(source, root.trees.avet.root, place),
        seek(NO_SOURCE, overlay.avet.root, place),
      ].flatMap((datom) => datom !== undefined && place(datom) === 0 ? [datom.e] : []);
      if (found.length === 0) return undefined;
      e = Math.min(...found);
      // What was found may be a datom that the overlay takes away.
      if (this.ofEntity(e, a, v).length > 0) return e;
      e++;
    }
  }

  /** Everything, in the order of an index. */
  everything(index: Index): readonly Datom[] {
    return this.datoms(all(index));
  }

  /**
   * The database with a datom applied: added, or taken away where `added` is false. Nothing is
   * checked, and no stored node is read.
   */
  with(datom: Datom): Db {
    const { overlay, schema } = this.#state;
    const put = (index: Index): Tree => insert(IN_MEMORY[index], overlay[index], datom);
    return new Db({
      ...this.#state,
      overlay: {
        eavt: put("eavt"),
        aevt: put("aevt"),
        avet: schema.isIndexed(datom.a) ? put("avet") : overlay.avet,
      },
      schema: isSchemaAttribute(datom.a) ? schema.with(datom) : schema,
      maxEid: datom.added ? raised(this.maxEid, datom.e) : this.maxEid,
    });
  }

  /** The database with an eid given to nobody else from now on. */
  withEid(e: number): Db {
    const maxEid = raised(this.maxEid, e);
    return maxEid === this.maxEid ? this : new Db({ ...this.#state, maxEid });
  }

  withMaxTx(maxTx: number): Db {
    return new Db({ ...this.#state, maxTx });
  }
}

/** An eid above the one before, unless it is a transaction's. */
function raised(maxEid: number, e: number): number {
  return e > maxEid && e < TX0 ? e : maxEid;
}

/** Two ascending lists as one: `over` in the place of what it equals in `stored`. */
function layered(
  stored: readonly Datom[],
  over: readonly Datom[],
  compare: (x: Datom, y: Datom) => number,
): readonly Datom[] {
  const result: Datom[] = [];
  let i = 0;
  for (const datom of over) {
    let next = stored[i];
    while (next !== undefined && compare(next, datom) < 0) {
      result.push(next);
      next = stored[++i];
    }
    while (next !== undefined && compare(next, datom) === 0) next = stored[++i];
    if (datom.added) result.push(datom);
  }
  for (; i < stored.length; i++) {
    const rest = stored[i];
    if (rest !== undefined) result.push(rest);
  }
  return result;
}
