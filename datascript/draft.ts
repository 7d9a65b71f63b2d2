/** A database that is being changed, datom by datom, by one transaction. */

import { type Datom, TX0 } from "./datom.ts";
import { Db } from "./db.ts";
import { compareFacts } from "./order.ts";
import { type Entity, entityOf, holderKey, type Overlay, Reader } from "./reader.ts";
import { isSchemaAttribute, type Schema } from "./schema.ts";
import { NO_SOURCE, type NodeSource } from "./source.ts";
import { type Root, Stored } from "./stored.ts";
import { BRANCHING_FACTOR, EMPTY_TREE, insert, type Tree } from "./tree.ts";
import type { Value } from "./value.ts";

const IN_MEMORY = Object.freeze({
  eavt: { source: NO_SOURCE, compare: compareFacts.eavt, maxKeys: BRANCHING_FACTOR },
  avet: { source: NO_SOURCE, compare: compareFacts.avet, maxKeys: BRANCHING_FACTOR },
});

/** The database before it stays as it is. */
export class Draft extends Reader {
  readonly #before: Db;
  #eavt: Tree;
  #avet: Tree;
  #schema: Schema;
  #maxEid: number;
  /** Of the nodes that were made for this draft. */
  #owner = {};
  /** Those that were changed; undefined: to be read when it is asked for. */
  readonly #entities = new Map<number, Entity | undefined>();
  /** The same of values. */
  readonly #holders = new Map<string, number | null | undefined>();

  constructor(before: Db) {
    super(before.stored);
    this.#before = before;
    this.#eavt = before.overlay.eavt;
    this.#avet = before.overlay.avet;
    this.#schema = before.schema;
    this.#maxEid = before.maxEid;
  }

  override get overlay(): Overlay {
    return { eavt: this.#eavt, avet: this.#avet };
  }

  override get schema(): Schema {
    return this.#schema;
  }

  override get maxEid(): number {
    return this.#maxEid;
  }

  override get maxTx(): number {
    return this.#before.maxTx;
  }

  override entity(e: number): Entity {
    const known = this.#entities.get(e);
    if (known !== undefined) return known;
    if (!this.#entities.has(e)) return this.#before.entity(e);
    const entity = this.read(e);
    this.#entities.set(e, entity);
    return entity;
  }

  override holder(a: string, v: Value): number | undefined {
    const key = holderKey(a, v);
    const known = key === undefined ? undefined : this.#holders.get(key);
    if (known !== undefined) return known ?? undefined;
    if (key !== undefined && !this.#holders.has(key)) return this.#before.holder(a, v);
    const holder = this.readHolder(a, v);
    if (key !== undefined) this.#holders.set(key, holder);
    return holder ?? undefined;
  }

  /**
   * Adds a datom, or takes it away where `added` is false. Nothing is checked, and no stored node is
   * read.
   */
  apply(datom: Datom): void {
    const { e, a } = datom;
    this.#eavt = this.#insert("eavt", this.#eavt, datom);
    if (this.#schema.isIndexed(a)) {
      this.#avet = this.#insert("avet", this.#avet, datom);
      this.stored.use(a);
    }
    const key = holderKey(a, datom.v);
    if (key !== undefined) this.#holders.set(key, undefined);
    if (isSchemaAttribute(a)) this.#schema = this.#schema.with(datom);
    if (datom.added) this.take(e);
    const known = this.#entities.has(e) ? this.#entities.get(e) : this.#before.knownEntity(e);
    this.#entities.set(e, known && entityOf(withDatom(known, datom)));
  }

  /** An eid is given to nobody else from now on; those of transactions are not counted. */
  take(e: number): void {
    if (e > this.#maxEid && e < TX0) this.#maxEid = e;
  }

  /** The database with all this, as a value that no change comes to any more. */
  done(maxTx: number): Db {
    // What comes after has to make nodes of its own.
    this.#owner = {};
    const changed = {
      overlay: this.overlay,
      schema: this.#schema,
      maxEid: this.#maxEid,
      maxTx,
    };
    return new Db(this.stored, changed, this.#known());
  }

  *#known(): Generator<readonly [number, Entity]> {
    for (const [e, entity] of this.#entities) if (entity !== undefined) yield [e, entity];
  }

  #insert(index: "eavt" | "avet", tree: Tree, datom: Datom): Tree {
    return insert({ ...IN_MEMORY[index], owner: this.#owner }, tree, datom);
  }
}

/**
 * The same database over other trees, which hold all of it up to their last transaction.
 *
 * @param root what a flush made of this database, or of one before it
 */
export function rebased(db: Db, root: Root, source: NodeSource): Db {
  const stored = new Stored(root, source);
  const overlayOf = (index: "eavt" | "avet"): Tree => {
    const later = db.changes(index).filter(({ tx }) => tx > root.maxTx);
    if (index === "avet") later.forEach(({ a }) => stored.use(a));
    const how = { ...IN_MEMORY[index], owner: {} };
    return later.reduce((tree, datom) => insert(how, tree, datom), EMPTY_TREE);
  };
  const overlay = { eavt: overlayOf("eavt"), avet: overlayOf("avet") };
  const { schema, maxEid, maxTx } = db;
  return new Db(stored, { overlay, schema, maxEid, maxTx });
}

/** The database with these datoms, one after the other. */
export function withDatoms(db: Db, datoms: readonly Datom[]): Db {
  const draft = new Draft(db);
  for (const datom of datoms) draft.apply(datom);
  return draft.done(db.maxTx);
}

/** An entity's datoms with one more, or without those that it takes away; callers hold the old ones. */
function withDatom(datoms: readonly Datom[], datom: Datom): readonly Datom[] {
  const at = datoms.findIndex((other) => compareFacts.eavt(other, datom) >= 0);
  const start = at < 0 ? datoms.length : at;
  let end = start;
  for (let other = datoms[end]; other !== undefined; other = datoms[++end]) {
    if (compareFacts.eavt(other, datom) !== 0) break;
  }
  return datoms.toSpliced(start, end - start, ...datom.added ? [datom] : []);
}
