/**
 * The three orders in which datoms are kept (datascript.md §3), and ranges of them. Attributes,
 * values and `tx` compare as compare.ts has it; `tx` without its sign.
 */

import { type Attribute, attributeOf, compareAttributes } from "./attribute.ts";
import { compareValues } from "./compare.ts";
import type { Datom } from "./datom.ts";
import type { Value } from "./value.ts";

/** EAVT holds all datoms, AEVT too; AVET those of indexed attributes. */
export type Index = "eavt" | "aevt" | "avet";
export const INDEXES = ["eavt", "aevt", "avet"] as const;

export type CompareDatoms = (x: Datom, y: Datom) => number;

/** The orders of facts: `tx` left out, so that a fact equals its retraction. */
export const compareFacts: Readonly<Record<Index, CompareDatoms>> = Object.freeze({
  eavt: (x: Datom, y: Datom): number =>
    x.e - y.e || compareAttributes(x.attribute, y.attribute) || compareValues(x.v, y.v),
  aevt: (x: Datom, y: Datom): number =>
    compareAttributes(x.attribute, y.attribute) || x.e - y.e || compareValues(x.v, y.v),
  avet: (x: Datom, y: Datom): number =>
    compareAttributes(x.attribute, y.attribute) || compareValues(x.v, y.v) || x.e - y.e,
});

/** The orders of the trees. */
export const compareDatoms: Readonly<Record<Index, CompareDatoms>> = Object.freeze({
  eavt: (x: Datom, y: Datom): number => compareFacts.eavt(x, y) || x.tx - y.tx,
  aevt: (x: Datom, y: Datom): number => compareFacts.aevt(x, y) || x.tx - y.tx,
  avet: (x: Datom, y: Datom): number => compareFacts.avet(x, y) || x.tx - y.tx,
});

/**
 * A stretch of an index, ascending: the datoms with these parts, as far as they are given. Data and no
 * function, so that the search for its start is compiled as one piece: it takes half the time.
 */
export interface Range {
  readonly index: Index;
  readonly a: Attribute | undefined;
  /** Only with an attribute. */
  readonly v: Value | undefined;
  readonly fromE: number;
  /** The last one itself is inside. */
  readonly toE: number;
}

/** Negative for a datom before a stretch, 0 inside, positive behind it. */
export function place(datom: Datom, { index, a, v, fromE, toE }: Range): number {
  const { e } = datom;
  if (index === "eavt") {
    if (e < fromE) return -1;
    if (e > toE) return 1;
    if (a === undefined) return 0;
    return compareAttributes(datom.attribute, a) ||
      (v === undefined ? 0 : compareValues(datom.v, v));
  }
  if (a === undefined) return 0;
  const order = compareAttributes(datom.attribute, a);
  if (order !== 0 || index === "aevt") return order;
  return (v === undefined ? 0 : compareValues(datom.v, v)) || (e < fromE ? -1 : 0);
}

/** Everything in an index. */
export function all(index: Index): Range {
  return { index, a: undefined, v: undefined, fromE: -Infinity, toE: Infinity };
}

/** In EAVT: the datoms of an entity, of one attribute of it, or with one value there. */
export function ofEntity(e: number, a?: string, v?: Value): Range {
  return { index: "eavt", a: a === undefined ? undefined : attributeOf(a), v, fromE: e, toE: e };
}

/** In EAVT: the datoms of the entities with from ≤ e < to. */
export function ofEntities(from: number, to: number): Range {
  return { index: "eavt", a: undefined, v: undefined, fromE: from, toE: to - 1 };
}

/** In AEVT or AVET: the datoms of an attribute. */
export function ofAttribute(a: string, index: "aevt" | "avet" = "aevt"): Range {
  return { index, a: attributeOf(a), v: undefined, fromE: -Infinity, toE: Infinity };
}

/** In AVET: the datoms that give an indexed attribute this value; from entity `fromE` on. */
export function ofValue(a: string, v: Value, fromE = -Infinity): Range {
  return { index: "avet", a: attributeOf(a), v, fromE, toE: Infinity };
}
