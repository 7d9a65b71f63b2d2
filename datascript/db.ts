/**
 * A database as a value: the trees that are stored, and over them what was changed since (the
 * overlay), so that a change touches no stored node.
 */

import { type Entity, type Overlay, Reader } from "./reader.ts";
import type { Schema } from "./schema.ts";
import type { NodeSource } from "./source.ts";
import { type Root, Stored } from "./stored.ts";
import { EMPTY_TREE } from "./tree.ts";
import type { Value } from "./value.ts";

const NO_OVERLAY: Overlay = Object.freeze({ eavt: EMPTY_TREE, avet: EMPTY_TREE });

/** So many entities, and holders, are kept: a batch asks for the same ones again and again. */
const MAX_KEPT = 500;

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
  readonly #holders = new Map<string, number | null>();

  /** @param entities some that are known */
  constructor(
    stored: Stored,
    changed: Changed,
    entities: Iterable<readonly [e: number, entity: Entity]> = [],
  ) {
    super(stored);
    this.#changed = changed;
    for (const [e, entity] of entities) keep(this.#entities, e, entity);
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
    return known === undefined ? keep(this.#entities, e, this.read(e)) : known;
  }

  override namedHolder(name: string, a: string, v: Value): number | null {
    const known = this.#holders.get(name);
    return known === undefined ? keep(this.#holders, name, this.readHolder(a, v)) : known;
  }

  /** An entity if it is kept. */
  knownEntity(e: number): Entity | undefined {
    return this.#entities.get(e);
  }

  withMaxTx(maxTx: number): Db {
    return new Db(this.stored, { ...this.#changed, maxTx }, this.#entities);
  }
}

function keep<Key, Held>(kept: Map<Key, Held>, key: Key, held: Held): Held {
  if (kept.size >= MAX_KEPT) kept.clear();
  kept.set(key, held);
  return held;
}
