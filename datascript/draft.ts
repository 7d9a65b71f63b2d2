/** A database that is being changed, datom by datom, by one transaction. */

import { type Datom, TX0 } from "./datom.ts";
import { Db } from "./db.ts";
import { compareFacts } from "./order.ts";
import { type Entity, entityOf, holderName, layered, type Overlay, Reader } from "./reader.ts";
import { isSchemaAttribute, type Schema } from "./schema.ts";
import { NO_SOURCE, type NodeSource } from "./source.ts";
import { type Root, Stored } from "./stored.ts";
import { BRANCHING_FACTOR, type Edit, EMPTY_TREE, insert, type Tree } from "./tree.ts";
import type { Value } from "./value.ts";

/** Edits of an overlay's trees, by an owner of nodes that is new. */
function newEdits(): Readonly<Record<keyof Overlay, Edit>> {
  const common = { source: NO_SOURCE, maxKeys: BRANCHING_FACTOR, owner: {} };
  return {
    eavt: { ...common, compare: compareFacts.eavt },
    avet: { ...common, compare: compareFacts.avet },
  };
}

/** The database before it stays as it is. */
export class Draft extends Reader {
  readonly #before: Db;
  #eavt: Tree;
  #avet: Tree;
  #schema: Schema;
  #maxEid: number;
  #edits = newEdits();
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

  override namedHolder(name: string, a: string, v: Value): number | null {
    const known = this.#holders.get(name);
    if (known !== undefined) return known;
    if (!this.#holders.has(name)) return this.#before.namedHolder(name, a, v);
    const holder = this.readHolder(a, v);
    this.#holders.set(name, holder);
    return holder;
  }

  /**
   * Adds a datom, or takes it away where `added` is false. Nothing is checked, and no stored node is
   * read.
   */
  apply(datom: Datom): void {
    const { e, a } = datom;
    this.#eavt = insert(this.#edits.eavt, this.#eavt, datom);
    if (this.#schema.isIndexed(a)) {
      this.#avet = insert(this.#edits.avet, this.#avet, datom);
      this.stored.use(a, datom.v);
    }
    const name = holderName(a, datom.v);
    if (name !== undefined) this.#holders.set(name, undefined);
    if (isSchemaAttribute(a)) {
      this.#schema = this.#schema.with(datom, this.#edits.eavt.owner);
    }
    if (datom.added) this.take(e);
    const known = this.#entities.has(e) ? this.#entities.get(e) : this.#before.knownEntity(e);
    this.#entities.set(e, known && entityOf(layered(known, [datom], compareFacts.eavt)));
  }

  /** An eid is given to nobody else from now on; those of transactions are not counted. */
  take(e: number): void {
    if (e > this.#maxEid && e < TX0) this.#maxEid = e;
  }

  /** The database with all this, as a value that no change comes to any more. */
  done(maxTx: number): Db {
    // What comes after has to make nodes of its own.
    this.#edits = newEdits();
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
}

/**
 * The same database over other trees, which hold all of it up to their last transaction.
 *
 * @param root what a flush made of this database, or of one before it
 */
export function rebased(db: Db, root: Root, source: NodeSource): Db {
  const stored = new Stored(root, source);
  const edits = newEdits();
  const overlayOf = (index: keyof Overlay): Tree => {
    const later = db.changes(index).filter(({ tx }) => tx > root.maxTx);
    if (index === "avet") later.forEach(({ a, v }) => stored.use(a, v));
    return later.reduce((tree, datom) => insert(edits[index], tree, datom), EMPTY_TREE);
  };
  const overlay = { eavt: overlayOf("eavt"), avet: overlayOf("avet") };
  const { schema, maxEid, maxTx } = db;
  return new Db(stored, { overlay, schema, maxEid, maxTx });
}

/** The database with these datoms, one after the other. */
export function withDatoms(db: Db, datoms: readonly Datom[], maxTx: number = db.maxTx): Db {
  const draft = new Draft(db);
  for (const datom of datoms) draft.apply(datom);
  return draft.done(maxTx);
}
