/**
 * One run through the forms of a transaction, from what is known of its tempids: to a report, or to
 * what it found out that should have been known before.
 */

import { Datom, TX0 } from "./datom.ts";
import type { Db } from "./db.ts";
import { Draft } from "./draft.ts";
import { TransactError } from "./errors.ts";
import {
  type EntityForm,
  type EntityRef,
  type Form,
  isLookupRef,
  parseEntity,
  parseEntityRef,
  reverseOf,
  straightOf,
  type Tempid,
} from "./forms.ts";
import { MAX_LOOKS } from "./reader.ts";
import type { TxReport } from "./report.ts";
import { ARRAY_MAP_LIMIT, compareInTrie } from "./trie_order.ts";
import { collection, equal, Keyword, MapValue, type Value } from "./value.ts";

/** What one run knows that the runs before it found out. */
export interface Learnt {
  /** What a tempid is: what it was given, or what it turned out to be. */
  readonly tempids: Map<Tempid, number>;
  /** Tempids that turned out to be an entity that was there already, after something else was tried. */
  readonly upserted: Map<Tempid, number>;
  /** Nested maps as forms: without a tempid that lasts, one could be learnt of anew for ever. */
  readonly nested: Map<MapValue, EntityForm>;
  /** Tempids of which that was only guessed, so that it has to show. */
  readonly guesses: ReadonlySet<Tempid>;
}

/** A step of the run: a form, or a tie that a map makes between two entities. */
type Step =
  | Form
  /** A map inside another one: the tie between the two is made once it is known whom it is about. */
  | {
    readonly op: "nested";
    readonly form: EntityForm;
    readonly tieTo: (entity: EntityRef) => Step;
  }
  | { readonly op: "tie"; readonly e: EntityRef; readonly a: string; readonly to: EntityRef };

/** Thrown inside a run: a tempid was found to be another entity than the one it was given. */
class Again extends Error {}

/**
 * The greatest eid that a form may give to an entity itself: new ones come after the greatest there is, and
 * behind the last eid nobody could ever make one again.
 */
const MAX_NAMED_EID = TX0 / 2;

/** Is run once. */
export class Transaction {
  readonly #before: Db;
  readonly #learnt: Learnt;
  readonly #tx: number;
  readonly #db: Draft;
  readonly #datoms: Datom[] = [];
  /** The next step is the last element. */
  readonly #steps: Step[] = [];
  /** Of each entity, the tempids that became it. */
  readonly #tempidsOf = new Map<number, Set<Tempid>>();
  /** Entities that only values have named by tempid so far, and those that something was said of. */
  readonly #namedByValue = new Map<number, Tempid>();
  readonly #asserted = new Set<number>();
  readonly #unproven: Set<Tempid>;
  #done = 0;

  constructor(db: Db, learnt: Learnt) {
    this.#before = db;
    this.#db = new Draft(db);
    this.#learnt = learnt;
    this.#unproven = new Set(learnt.guesses);
    this.#tx = db.maxTx + 1;
  }

  /** Guesses that nothing has shown to be right. */
  get unproven(): ReadonlySet<Tempid> {
    return this.#unproven;
  }

  /** How many steps were done: a form takes one, and one for each attribute of a map. */
  get steps(): number {
    return this.#done;
  }

  run(forms: readonly Form[]): TxReport | "again" {
    if (!Number.isSafeInteger(this.#tx)) {
      throw new TransactError("ids-used-up", `There is no transaction ${this.#tx}`);
    }
    this.#push(forms);
    try {
      for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
        this.#done++;
        this.#do(step);
        if (this.#db.looks > MAX_LOOKS) {
          throw new TransactError("too-much-to-read", "The forms go through too many datoms");
        }
      }
    } catch (thrown) {
      if (thrown instanceof Again) return "again";
      throw thrown;
    }
    for (const [e, tempid] of this.#namedByValue) {
      if (!this.#asserted.has(e)) {
        throw new TransactError(
          "tempid-as-value-only",
          `Tempid ${String(tempid)} is used only as a value`,
        );
      }
    }
    return {
      before: this.#before,
      after: this.#db.done(this.#tx),
      datoms: this.#datoms,
      tempids: this.#learnt.tempids,
    };
  }

  /** These come next, in their order. */
  #push(steps: readonly Step[]): void {
    for (let i = steps.length - 1; i >= 0; i--) {
      const step = steps[i];
      if (step !== undefined) this.#steps.push(step);
    }
  }

  #do(step: Step): void {
    switch (step.op) {
      case "add":
        return this.#add(step.e, step.a, this.#asValue(step.a, step.v));
      case "tie":
        return this.#add(step.e, step.a, this.#target(step.to));
      case "retract":
        return this.#retract(step.e, step.a, step.v);
      case "retractEntity":
        return this.#retractEntity(step.e);
      case "cas":
        return this.#cas(step.e, step.a, step.before, step.v);
      case "entity":
        return this.#entity(step);
      case "nested":
        return this.#entity(step.form, step.tieTo);
      default:
        return step satisfies never;
    }
  }

  #add(ref: EntityRef, a: string, v: Value): void {
    const e = ref.kind === "tempid" ? this.#ofTempid(ref.id, a, v) : this.#entid(ref);
    // Whom a lookup ref or an ident finds is no other entity, whatever is said of it.
    const fixed = ref.kind === "lookup" || ref.kind === "ident";
    const same = !fixed && this.#db.schema.isIdentity(a) ? this.#db.holder(a, v) : undefined;
    if (same !== undefined && same !== e && this.#tempidsOf.has(e)) this.#learnUpsert(e, same);
    this.#assert(e, a, v);
  }

  #assert(e: number, a: string, v: Value): void {
    if (e > MAX_NAMED_EID && e > this.#db.maxEid && e < TX0) {
      throw new TransactError(
        "ids-used-up",
        `Entity ${e} would leave too few eids to entities to come`,
      );
    }
    this.#asserted.add(e);
    const { schema } = this.#db;
    const old = this.#db.first(e, a, schema.isMany(a) ? v : undefined);
    if (old !== undefined && equal(old.v, v)) return;
    if (old !== undefined) this.#apply(old, false);
    if (schema.isUnique(a) && this.#db.holder(a, v) !== undefined) {
      throw new TransactError("unique-conflict", `Another entity has this :${a} already`);
    }
    this.#apply({ e, a, v }, true);
  }

  #retract(ref: EntityRef, a: string, value: Value | undefined): void {
    const v = value === undefined ? undefined : this.#asKnownValue(a, value);
    const e = this.#known(ref);
    if (e === undefined || v === null) return;
    const datoms = this.#db.ofEntity(e, a, v);
    if (v !== undefined) {
      const [old] = datoms;
      if (old !== undefined) this.#apply(old, false);
      return;
    }
    for (const datom of datoms) this.#apply(datom, false);
    this.#push(this.#componentsOf(datoms));
  }

  #retractEntity(ref: EntityRef): void {
    const e = this.#known(ref);
    if (e === undefined) return;
    const own = this.#db.ofEntity(e);
    const others = this.#db.references(e).filter((datom) => datom.e !== e);
    for (const datom of [...own, ...others]) this.#apply(datom, false);
    this.#push(this.#componentsOf(own));
  }

  #componentsOf(datoms: readonly Datom[]): readonly Form[] {
    return datoms.flatMap(({ a, v }) =>
      this.#db.schema.isComponent(a) && typeof v === "number"
        ? [{ op: "retractEntity", e: { kind: "eid", eid: v } } as const]
        : []
    );
  }

  #cas(ref: EntityRef, a: string, before: Value, value: Value): void {
    const e = this.#entid(ref);
    const expected = this.#asValue(a, before);
    const v = this.#asValue(a, value);
    const now = this.#db.ofEntity(e, a).map((datom) => datom.v);
    const holds = this.#db.schema.isMany(a)
      ? now.some((one) => equal(one, expected))
      : equal(now[0] ?? null, expected);
    if (!holds) throw new TransactError("cas-failed", `:${a} is not what it was expected to be`);
    this.#assert(e, a, v);
  }

  #entity(form: EntityForm, tieTo?: (entity: EntityRef) => Step): void {
    checkSchemaEntity(form);
    const missing: (readonly [a: string, v: Value])[] = [];
    const found = new Set<number>();
    for (const [a, value] of inClojuresOrder(form)) {
      for (const v of this.#valuesOf(a, value)) {
        const same = this.#db.schema.isIdentity(a) ? this.#whoHas(a, v) : undefined;
        if (same === undefined) missing.push([a, v]);
        else {
          found.add(same);
          if (form.e.kind === "tempid") this.#prove(form.e.id, same, a, v);
        }
      }
    }
    if (found.size > 1) {
      throw new TransactError("upsert-conflict", "Two attributes of a map name two entities");
    }
    const [upserted] = found;
    const ref = this.#entityOf(form.e, upserted);
    const steps = missing.flatMap(([a, v]) => this.#stepsOf(ref, a, v));
    this.#push(tieTo === undefined ? steps : [...steps, tieTo(ref)]);
  }

  /** Whom a map is about: whom its id names, or who has its identity already. */
  #entityOf(ref: EntityRef, upserted: number | undefined): EntityRef {
    if (ref.kind === "tempid" && upserted === undefined) return ref;
    if (ref.kind === "tempid" && upserted !== undefined) this.#becomes(ref.id, upserted);
    const eid = this.#entid(ref);
    if (upserted !== undefined && upserted !== eid) {
      throw new TransactError("upsert-conflict", "An attribute of a map names another entity");
    }
    if (upserted !== undefined) this.#asserted.add(upserted);
    return { kind: "eid", eid };
  }

  /** The values that a map gives an attribute: a collection's elements where it may have many. */
  #valuesOf(a: string, value: Value): readonly Value[] {
    const { schema } = this.#db;
    const many = straightOf(a) !== undefined || schema.isMany(a);
    const values = many ? collection(value) : undefined;
    return values === undefined || isLookupRef(value, schema) ? [value] : values;
  }

  #stepsOf(e: EntityRef, a: string, value: Value): readonly Step[] {
    const straight = straightOf(a);
    const { schema } = this.#db;
    if (straight !== undefined && !schema.isRef(straight)) {
      throw new TransactError(
        "reverse-attribute-not-ref",
        `:${straight} is no ref, as :${a} wants`,
      );
    }
    if (value === null) throw new TransactError("value-missing", "A value must not be nil");
    const tieTo = (other: EntityRef): Step =>
      straight === undefined
        ? { op: "tie", e, a, to: other }
        : { op: "tie", e: other, a: straight, to: e };
    if (schema.isRef(straight ?? a) && value instanceof MapValue) {
      const form = without(this.#nested(value), straight ?? reverseOf(a));
      return [{ op: "nested", form, tieTo }];
    }
    return straight === undefined
      ? [{ op: "add", e, a, v: value }]
      : [tieTo(parseEntityRef(value))];
  }

  #nested(map: MapValue): EntityForm {
    const known = this.#learnt.nested.get(map);
    if (known !== undefined) return known;
    const form = parseEntity(map);
    this.#learnt.nested.set(map, form);
    return form;
  }

  /** An entity that must be there. @throws {TransactError} */
  #entid(ref: EntityRef): number {
    const e = this.#known(ref);
    if (e !== undefined) return e;
    const name = ref.kind === "lookup" ? `:${ref.a}` : ref.kind === "ident" ? `:${ref.name}` : "";
    const lookup = ref.kind === "lookup" ? ref : undefined;
    throw new TransactError(
      "lookup-ref-missing",
      `Nothing found for the lookup ref ${name}`,
      lookup,
    );
  }

  /** An entity that may be missing. */
  #known(ref: EntityRef): number | undefined {
    switch (ref.kind) {
      case "eid":
        return ref.eid;
      case "tx":
        return this.#tx;
      case "tempid":
        return this.#learnt.tempids.get(ref.id);
      case "ident":
        return this.#db.holder("db/ident", new Keyword(ref.name));
      case "lookup":
        return this.#lookUp(ref.a, ref.v);
      default:
        return ref satisfies never;
    }
  }

  #lookUp(a: string, value: Value): number | undefined {
    const { schema } = this.#db;
    if (!schema.isUnique(a)) {
      throw new TransactError(
        "lookup-ref-not-unique",
        `:${a} is not unique, so nothing is found by it`,
      );
    }
    if (value === null) return undefined;
    if (!schema.isRef(a)) return this.#db.holder(a, value);
    const v = this.#known(parseEntityRef(value));
    return v === undefined ? undefined : this.#db.holder(a, v);
  }

  /** Who has a value as a form says it; a tempid and a nested map name nobody yet. */
  #whoHas(a: string, value: Value): number | undefined {
    if (!this.#db.schema.isRef(a)) return this.#db.holder(a, value);
    if (value instanceof MapValue) return undefined;
    const ref = parseEntityRef(value);
    const v = ref.kind === "tempid" ? undefined : this.#known(ref);
    return v === undefined ? undefined : this.#db.holder(a, v);
  }

  /** A form's value as it is stored: a ref's is an eid. @throws {TransactError} */
  #asValue(a: string, value: Value): Value {
    return this.#db.schema.isRef(a) ? this.#target(parseEntityRef(value)) : value;
  }

  /** The same, where null says that there is no such entity. */
  #asKnownValue(a: string, value: Value): Value {
    if (!this.#db.schema.isRef(a)) return value;
    const ref = parseEntityRef(value);
    return ref.kind === "tempid" ? this.#target(ref) : this.#known(ref) ?? null;
  }

  #target(ref: EntityRef): number {
    return ref.kind === "tempid" ? this.#named(ref.id) : this.#entid(ref);
  }

  /** The entity of a tempid that a value names. Something has to be said of it somewhere. */
  #named(id: Tempid): number {
    const e = this.#ofTempid(id);
    if (!this.#namedByValue.has(e)) this.#namedByValue.set(e, id);
    return e;
  }

  /** The entity of a tempid, of which `a` is `v`; a new one where nothing is known of it. */
  #ofTempid(id: Tempid, a?: string, v?: Value): number {
    const given = this.#learnt.tempids.get(id);
    const same = a !== undefined && v !== undefined && this.#db.schema.isIdentity(a)
      ? this.#db.holder(a, v)
      : undefined;
    const e = same ?? given ?? this.#newEid();
    this.#becomes(id, e);
    if (same !== undefined && a !== undefined && v !== undefined) this.#prove(id, same, a, v);
    return e;
  }

  /** A tempid is found to be somebody by a fact that this transaction didn't make. */
  #prove(id: Tempid, e: number, a: string, v: Value): void {
    if (!this.#unproven.has(id)) return;
    const fact = this.#db.first(e, a, v);
    if (fact !== undefined && fact.tx !== this.#tx) this.#unproven.delete(id);
  }

  #newEid(): number {
    const e = this.#db.maxEid + 1;
    if (e < TX0) return e;
    // DataScript goes on giving this one eid to every new entity.
    throw new TransactError("ids-used-up", `There is no eid below ${TX0} left`);
  }

  #becomes(id: Tempid, e: number): void {
    const given = this.#learnt.tempids.get(id);
    if (given !== undefined && given !== e) this.#again(id, e);
    this.#learnt.tempids.set(id, e);
    this.#db.take(e);
    const others = this.#tempidsOf.get(e);
    if (others === undefined) this.#tempidsOf.set(e, new Set([id]));
    else others.add(id);
  }

  /** An entity that a tempid was given turns out to be one that is there: by another way to it. */
  #learnUpsert(e: number, same: number): void {
    const ids = this.#tempidsOf.get(e) ?? [];
    const id = [...ids].find((one) => !this.#learnt.upserted.has(one));
    if (id === undefined) {
      throw new TransactError("upsert-conflict", `Entity ${e} turns out to be entity ${same}`);
    }
    this.#again(id, same);
  }

  #again(id: Tempid, e: number): never {
    if (this.#learnt.upserted.has(id)) {
      throw new TransactError("upsert-conflict", `Tempid ${String(id)} is two entities`);
    }
    this.#learnt.upserted.set(id, e);
    this.#learnt.tempids.set(id, e);
    throw new Again();
  }

  #apply({ e, a, v }: { e: number; a: string; v: Value }, added: boolean): void {
    const datom = new Datom(e, a, v, this.#tx, added);
    this.#db.apply(datom);
    this.#datoms.push(datom);
  }
}

/** A map of more entries than a few is gone through in another order than it was written in. */
function inClojuresOrder({ attributes }: EntityForm): EntityForm["attributes"] {
  const entries = attributes.length + 1; // with :db/id
  return entries <= ARRAY_MAP_LIMIT
    ? attributes
    : attributes.toSorted(([x], [y]) => compareInTrie(x, y));
}

/** What DataScript asks of a map that makes an attribute; forms one by one are not asked. */
function checkSchemaEntity({ attributes }: EntityForm): void {
  const has = (name: string): boolean => attributes.some(([a]) => a === name);
  const ident = attributes.find(([a]) => a === "db/ident")?.[1];
  if (ident instanceof Keyword && /^db(\.[^/]*)?\//.test(ident.name)) {
    throw new TransactError(
      "schema-syntax",
      `:${ident.name} is in a namespace of DataScript's own`,
    );
  }
  const makesAttribute = has("db/cardinality") || has("db/valueType");
  if (makesAttribute && !(has("db/ident") && has("db/cardinality"))) {
    throw new TransactError(
      "schema-syntax",
      "An attribute must have a :db/ident and a :db/cardinality",
    );
  }
}

/** The tie to the map around takes the place of what a nested map says under the same name. */
function without(entity: EntityForm, tie: string): EntityForm {
  return { ...entity, attributes: entity.attributes.filter(([a]) => a !== tie) };
}
