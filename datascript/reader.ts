/** What can be asked of a database, whether it is a value (db.ts) or being changed (draft.ts). */

import type { Datom } from "./datom.ts";
import { compareValues } from "./compare.ts";
import {
  all,
  compareFacts,
  type Index,
  ofEntities,
  ofEntity,
  ofValue,
  place,
  type Range,
} from "./order.ts";
import type { Schema } from "./schema.ts";
import { NO_SOURCE } from "./source.ts";
import type { Stored } from "./stored.ts";
import { collect, firstOf, seek, type Tree } from "./tree.ts";
import { Uuid, type Value } from "./value.ts";

/**
 * What was changed since the trees were stored: at most one datom for each fact, the last one. It
 * stands in the place of the stored one, or with `added` false takes it away. Nobody searches AEVT,
 * so what is changed there is sorted when it is asked for.
 */
export interface Overlay {
  readonly eavt: Tree;
  readonly avet: Tree;
}

/** All that an entity has, by EAVT; null where it is much. */
export type Entity = readonly Datom[] | null;

/** An entity with more datoms than so many is searched each time it is asked for, not kept. */
const MANY_DATOMS = 64;

/**
 * Datoms that a transaction may go through: some seconds' work. Most forms go through a few, but a value may be held
 * by 10,000s where it became unique later, and so may one attribute of an entity have as many: to look for
 * each of as many forms took hours.
 */
export const MAX_LOOKS = 2_000_000;

/** Ref attributes of which it is known in the time that one datom takes that nobody refers by them. */
const REFS_PER_LOOK = 25;

/** An entity as it is kept. */
export function entityOf(datoms: readonly Datom[]): Entity {
  return datoms.length > MANY_DATOMS ? null : datoms;
}

/** Reads may throw NodeMissing (source.ts): the caller loads the node and starts again. */
export abstract class Reader {
  #looks = 0;

  protected constructor(readonly stored: Stored) {}

  abstract get overlay(): Overlay;
  abstract get schema(): Schema;
  /** The greatest eid ever given. */
  abstract get maxEid(): number;
  /** The id of the last transaction. */
  abstract get maxTx(): number;
  /** An entity, kept for the next time. */
  abstract entity(e: number): Entity;
  /** Who has a value, null for nobody; kept likewise, by the name that holderName gives it. */
  abstract namedHolder(name: string, a: string, v: Value): number | null;

  /** How many datoms were gone through, and what took about as long. */
  get looks(): number {
    return this.#looks;
  }

  /** The datoms of a stretch, ascending. */
  datoms(range: Range): readonly Datom[] {
    const stored = this.#stored(range);
    this.#looks += stored.length;
    return this.#layered(range, stored);
  }

  /** The datoms of an entity, of one attribute of it, or with one value there. */
  ofEntity(e: number, a?: string, v?: Value): readonly Datom[] {
    const datoms = this.entity(e);
    if (datoms === null) return this.datoms(ofEntity(e, a, v));
    return a === undefined ? datoms : datoms.filter((datom) => has(datom, a, v));
  }

  /** The first of them. */
  first(e: number, a: string, v?: Value): Datom | undefined {
    const datoms = this.entity(e);
    if (datoms === null) return this.datoms(ofEntity(e, a, v))[0];
    return datoms.find((datom) => has(datom, a, v));
  }

  /** The value of a single-valued attribute of an entity. */
  value(e: number, a: string): Value | undefined {
    return this.first(e, a)?.v;
  }

  /** The entity that has this value of a unique attribute. */
  holder(a: string, v: Value): number | undefined {
    const name = holderName(a, v);
    const holder = name === undefined ? this.readHolder(a, v) : this.namedHolder(name, a, v);
    return holder ?? undefined;
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
    const { root, source } = this.stored;
    const { avet } = this.overlay;
    for (let e = fromE;; e++) {
      const range = ofValue(a, v, e);
      const old = firstOf(source, root.trees.avet.root, range);
      const over = firstOf(NO_SOURCE, avet.root, range);
      if (over === undefined || (old !== undefined && old.e < over.e)) return old?.e;
      if (over.added) return over.e;
      e = over.e;
    }
  }

  /** The first eid from `fromE` on that has datoms, or had some that were taken away since a flush. */
  nextEid(fromE: number): number | undefined {
    const { root, source } = this.stored;
    const range = ofEntities(fromE, Infinity);
    const old = seek(source, root.trees.eavt.root, range);
    const over = seek(NO_SOURCE, this.overlay.eavt.root, range);
    return old === undefined || over !== undefined && over.e < old.e ? over?.e : old.e;
  }

  /** The datoms by which other entities, or it itself, refer to an entity. */
  references(e: number): readonly Datom[] {
    return this.refAttributesTo(e).flatMap((a) => this.datoms(ofValue(a, e)));
  }

  /**
   * Ref attributes in DataScript's order, but for those by which it is known that nobody refers to the
   * entity.
   */
  refAttributesTo(e: number): readonly string[] {
    const refs = this.schema.refAttributes();
    this.#looks += refs.length / REFS_PER_LOOK;
    return refs.filter((a) => this.stored.mayRefer(a, e));
  }

  /** Everything, in the order of an index. */
  everything(index: Index): readonly Datom[] {
    return this.datoms(all(index));
  }

  /** What the overlay changes in an index, ascending: a fact that is not `added` is gone. */
  changes(index: Index): readonly Datom[] {
    return this.#over(all(index));
  }

  /** An entity out of the trees. */
  protected read(e: number): Entity {
    const range = ofEntity(e);
    const datoms = this.#stored(range, MANY_DATOMS);
    // Of more than so many not all may be here.
    return datoms.length > MANY_DATOMS ? null : entityOf(this.#layered(range, datoms));
  }

  /** A holder out of the trees; null where there is none. */
  protected readHolder(a: string, v: Value): number | null {
    return this.entitiesWith(a, v)[0] ?? null;
  }

  #stored(range: Range, limit?: number): readonly Datom[] {
    const { root, source } = this.stored;
    const datoms: Datom[] = [];
    collect(source, root.trees[range.index], range, datoms, limit);
    return datoms;
  }

  #layered(range: Range, stored: readonly Datom[]): readonly Datom[] {
    const over = this.#over(range);
    this.#looks += over.length;
    return over.length === 0 ? stored : layered(stored, over, compareFacts[range.index]);
  }

  #over(range: Range): readonly Datom[] {
    const { eavt, avet } = this.overlay;
    const over: Datom[] = [];
    if (range.index === "aevt") {
      collect(NO_SOURCE, eavt, all("eavt"), over);
      return over.filter((datom) => place(datom, range) === 0).sort(compareFacts.aevt);
    }
    collect(NO_SOURCE, range.index === "eavt" ? eavt : avet, range, over);
    return over;
  }
}

const UUID_LENGTH = 36;

/** As what a holder is kept; `undefined`: it isn't. Mostly it is by their uuids that entities are named. */
export function holderName(a: string, v: Value): string | undefined {
  // A keyword and a uuid may be any text: behind a fixed length none is taken for a part of the other.
  return v instanceof Uuid && v.text.length === UUID_LENGTH ? v.text + a : undefined;
}

function has(datom: Datom, a: string, v: Value | undefined): boolean {
  return datom.a === a && (v === undefined || compareValues(datom.v, v) === 0);
}

/** Two ascending lists as one: `over` in the place of what it equals in `stored`. */
export function layered(
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
