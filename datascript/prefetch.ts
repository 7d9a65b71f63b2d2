/**
 * Which nodes forms are going to ask for, as far as that can be told without running them: so that
 * many come in at once, and a transaction isn't begun anew for each of them.
 */

import type { Db } from "./db.ts";
import { TransactError } from "./errors.ts";
import { type EntityRef, type Form, isLookupRef, parseEntityRef } from "./forms.ts";
import { ofValue } from "./order.ts";
import { MAX_LOOKS } from "./reader.ts";
import { nodeAt, NodeMissing } from "./source.ts";
import { collection, Keyword, MapValue, type Value } from "./value.ts";

/**
 * Addresses of nodes that are not in memory. Load them and ask again, until there are none: each
 * time the way goes one level on. What is missed here the transaction itself still names.
 *
 * @param sought indexed attributes for whose values others will be looked for that have the same
 */
export function missingNodes(
  db: Db,
  forms: readonly Form[],
  sought: readonly string[] = [],
): ReadonlySet<number> {
  const scout = new Scout(db, sought);
  scout.roots();
  const looks = db.looks;
  for (const form of forms) {
    // The transaction will not go through more either.
    if (db.looks - looks > MAX_LOOKS) break;
    scout.visit(form);
  }
  return scout.missing;
}

class Scout {
  readonly missing = new Set<number>();
  readonly #db: Db;
  readonly #sought: readonly string[];
  /** Entities whose datoms were looked at. */
  readonly #entities = new Set<number>();

  constructor(db: Db, sought: readonly string[]) {
    this.#db = db;
    this.#sought = sought;
  }

  /** Every way begins at one of these. */
  roots(): void {
    const { root, source } = this.#db.stored;
    for (const { root: ref } of [root.trees.eavt, root.trees.avet]) {
      this.#try(() => nodeAt(source, ref));
    }
  }

  visit(form: Form): void {
    const e = this.#entity(form.e);
    switch (form.op) {
      case "add":
      case "retract":
      case "cas":
        return form.v === undefined ? undefined : this.#value(form.a, form.v);
      case "retractEntity":
        return e === undefined ? undefined : this.#references(e);
      case "entity":
        return form.attributes.forEach(([a, v]) => this.#values(a, v));
      default:
        return form satisfies never;
    }
  }

  #entity(ref: EntityRef): number | undefined {
    const e = this.#eid(ref);
    if (e !== undefined && !this.#entities.has(e)) {
      this.#entities.add(e);
      this.#try(() => this.#db.ofEntity(e));
    }
    return e;
  }

  #eid(ref: EntityRef): number | undefined {
    if (ref.kind === "eid") return ref.eid;
    if (ref.kind === "ident") return this.#whoHas("db/ident", new Keyword(ref.name));
    return ref.kind === "lookup" ? this.#whoHas(ref.a, ref.v) : undefined;
  }

  #values(a: string, value: Value): void {
    const { schema } = this.#db;
    const values = schema.isMany(a) && !isLookupRef(value, schema) ? collection(value) : undefined;
    for (const v of values ?? [value]) this.#value(a, v);
  }

  #value(a: string, value: Value): void {
    const { schema } = this.#db;
    const v = schema.isRef(a) ? this.#target(value) : value;
    if (v !== undefined && this.#sought.includes(a) && schema.isIndexed(a)) {
      this.#try(() => this.#db.firstEntityWith(a, v, 0));
    }
    if (schema.isRef(a) || !schema.isIdentity(a)) return;
    // Who has it already is whom the form is about.
    const eid = this.#whoHas(a, value);
    if (eid !== undefined) this.#entity({ kind: "eid", eid });
  }

  #target(value: Value): number | undefined {
    if (value === null || value instanceof MapValue) return undefined;
    try {
      return this.#entity(parseEntityRef(value));
    } catch (thrown) {
      // What the value is instead the transaction says, in its turn.
      if (!(thrown instanceof TransactError)) throw thrown;
      return undefined;
    }
  }

  #references(e: number): void {
    for (const a of this.#db.refAttributesTo(e)) {
      const datoms = this.#try(() => this.#db.datoms(ofValue(a, e)));
      for (const datom of datoms ?? []) this.#entity({ kind: "eid", eid: datom.e });
    }
  }

  #whoHas(a: string, v: Value): number | undefined {
    if (!this.#db.schema.isUnique(a) || v === null) return undefined;
    return this.#try(() => this.#db.holder(a, v));
  }

  #try<Result>(read: () => Result): Result | undefined {
    try {
      return read();
    } catch (thrown) {
      if (!(thrown instanceof NodeMissing)) throw thrown;
      for (const address of thrown.addresses) this.missing.add(address);
      return undefined;
    }
  }
}
