/** `[e a v tx]`: one fact, or its retraction; and its form as a Transit vector. */

import { sortKey } from "./compare.ts";
import { CorruptRowError } from "./errors.ts";
import { isVector, Keyword, type Value } from "./value.ts";

/** A transaction's id is above this; eids are below. */
export const TX0 = 0x20000000;
/** The greatest eid that DataScript knows. */
export const MAX_EID = 0x7fffffff;

/** Fact `a` of entity `e` is `v` since transaction `tx`; `added: false`: is no more since then. */
export class Datom {
  /** Of the attribute: to look it up in each comparison took 5 % of a batch. */
  readonly sortKey: string;

  constructor(
    readonly e: number,
    /** The attribute's name without its colon: `block/uuid`. */
    readonly a: string,
    readonly v: Value,
    readonly tx: number,
    readonly added: boolean = true,
  ) {
    this.sortKey = sortKey(a);
  }
}

/** `[e a v tx]`; a retraction has a negative `tx`. */
export function encodeDatom({ e, a, v, tx, added }: Datom): readonly Value[] {
  return [e, keywordOf(a), v, added ? tx : -tx];
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
  return new Datom(e, interned(a.name), v, Math.abs(tx), tx >= 0);
}

/** One keyword object for each attribute: a graph has millions of datoms and some hundred attributes. */
const keywords = new Map<string, Keyword>();
/** Clients choose the names, so what is kept of them has a bound. */
const MAX_KEYWORDS = 10_000;

export function keywordOf(name: string): Keyword {
  const known = keywords.get(name);
  if (known !== undefined) return known;
  if (keywords.size >= MAX_KEYWORDS) keywords.clear();
  const keyword = new Keyword(name);
  keywords.set(name, keyword);
  return keyword;
}

function interned(name: string): string {
  return keywordOf(name).name;
}
