/**
 * A database as a value: the trees that are stored, and over them what was changed since (the
 * overlay), so that a change touches no stored node.
 */

import { type Entity, type Overlay, Reader } from "./reader.ts";
import type { Schema } from "./schema.ts";
import type { NodeSource } from "./source.ts";
import { type Root, Stored } from "./stored.ts";
import { EMPTY_TREE } from "./tree.ts";

const NO_OVERLAY: Overlay = Object.freeze({ eavt: EMPTY_TREE, avet: EMPTY_TREE });

/** So many entities are kept for the next time: a batch asks for the same ones again and again. */
const MAX_ENTITIES = 500;

/** What a database is beside the trees that are stored. */
export interface Changed {
  readonly overlay: Overlay;
  readonly schema: Schema;
  readonly maxEid: number;
  readonly maxTx: number;
}

export class Db extends Reader {
  readonly #changed: Changed;
  readonly #entities = new Map<number, Entity>();

  /** @param entities some that are known */
  constructor(
    stored: Stored,
    changed: Changed,
    entities: Iterable<readonly [e: number, entity: Entity]> = [],
  ) {
    super(stored);
    this.#changed = changed;
    for (const [e, entity] of entities) this.#keep(e, entity);
  }

  /** The database of a root row, without any tail yet. */
  static open(root: Root, source: NodeSource): Db {
    const { schema, maxEid, maxTx } = root;
    return new Db(new Stored(root, source), { overlay: NO_OVERLAY, schema, maxEid, maxTx });
  }

  get root(): Root {
    return this.stored.root;
  }

  override get overlay(): Overlay {
    return this.#changed.overlay;
  }

  override get schema(): Schema {
    return this.#changed.schema;
  }

  override get maxEid(): number {
    return this.#changed.maxEid;
  }

  override get maxTx(): number {
    return this.#changed.maxTx;
  }

  /** How many datoms the overlay holds, taken away ones included: what opening it again costs. */
  get overlaySize(): number {
    return this.overlay.eavt.count;
  }

  override entity(e: number): Entity {
    const known = this.#entities.get(e);
    return known === undefined ? this.#keep(e, this.read(e)) : known;
  }

  /** An entity if it is kept. */
  knownEntity(e: number): Entity | undefined {
    return this.#entities.get(e);
  }

  #keep(e: number, entity: Entity): Entity {
    if (this.#entities.size >= MAX_ENTITIES) this.#entities.clear();
    this.#entities.set(e, entity);
    return entity;
  }

  withMaxTx(maxTx: number): Db {
    return new Db(this.stored, { ...this.#changed, maxTx }, this.#entities);
  }
}
