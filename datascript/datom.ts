/** `[e a v tx]`: one fact, or its retraction; and its form as a Transit vector. */

import { type Attribute, attributeOf } from "./attribute.ts";
import { CorruptRowError } from "./errors.ts";
import { isVector, Keyword, MapValue, type Value } from "./value.ts";

/** A transaction's id is above this; eids are below. */
export const TX0 = 0x20000000;
/** The greatest eid that DataScript knows. */
export const MAX_EID = 0x7fffffff;

/** Fact `a` of entity `e` is `v` since transaction `tx`; `added: false`: is no more since then. */
export class Datom {
  /** The attribute's name without its colon: `block/uuid`. */
  readonly a: string;
  /** To look it up in each comparison took 5 % of a batch. */
  readonly attribute: Attribute;

  constructor(
    readonly e: number,
    a: string,
    readonly v: Value,
    readonly tx: number,
    readonly added: boolean = true,
  ) {
    this.attribute = attributeOf(a);
    this.a = this.attribute.name;
  }
}

/** `[e a v tx]`; a retraction has a negative `tx`. */
export function encodeDatom({ e, attribute, v, tx, added }: Datom): readonly Value[] {
  return [e, attribute.keyword, v, added ? tx : -tx];
}

/** @throws {CorruptRowError} the value is no `[e a v tx]` */
export function decodeDatom(value: Value): Datom {
  if (!isVector(value)) throw new CorruptRowError("Cannot read a datom: it is no vector");
  const [e, a, v, tx] = value;
  if (
    typeof e !== "number" || !(a instanceof Keyword) || v === undefined || v === null ||
    typeof tx !== "number"
  ) {
    throw new CorruptRowError("Cannot read a datom: it is not [e a v tx]");
  }
  return new Datom(e, a.name, v, Math.abs(tx), tx >= 0);
}

/**
 * The keyword of an attribute, or a word of ours; mostly the same object each time. Not for what
 * else a client names: room for attributes is bounded, and the first ones stay.
 */
export function keywordOf(name: string): Keyword {
  return attributeOf(name).keyword;
}

/** A map with keywords of ours as keys. */
export function keywordMap(entries: Readonly<Record<string, Value>>): MapValue {
  return new MapValue(Object.entries(entries).map(([name, value]) => [keywordOf(name), value]));
}
