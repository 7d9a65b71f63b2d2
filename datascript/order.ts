/**
 * The three orders in which datoms are kept (datascript.md §3), and ranges of them. Attributes,
 * values and `tx` compare as compare.ts has it; `tx` without its sign.
 */

import { compareText, compareValues, sortKey } from "./compare.ts";
import type { Datom } from "./datom.ts";
import type { Value } from "./value.ts";

/** EAVT holds all datoms, AEVT too; AVET those of indexed attributes. */
export type Index = "eavt" | "aevt" | "avet";
export const INDEXES = ["eavt", "aevt", "avet"] as const;

export type CompareDatoms = (x: Datom, y: Datom) => number;

/** The orders of facts: `tx` left out, so that a fact equals its retraction. */
export const compareFacts: Readonly<Record<Index, CompareDatoms>> = Object.freeze({
  eavt: (x: Datom, y: Datom): number =>
    x.e - y.e || compareText(x.sortKey, y.sortKey) || compareValues(x.v, y.v),
  aevt: (x: Datom, y: Datom): number =>
    compareText(x.sortKey, y.sortKey) || x.e - y.e || compareValues(x.v, y.v),
  avet: (x: Datom, y: Datom): number =>
    compareText(x.sortKey, y.sortKey) || compareValues(x.v, y.v) || x.e - y.e,
});

/** The orders of the trees. */
export const compareDatoms: Readonly<Record<Index, CompareDatoms>> = Object.freeze({
  eavt: (x: Datom, y: Datom): number => compareFacts.eavt(x, y) || x.tx - y.tx,
  aevt: (x: Datom, y: Datom): number => compareFacts.aevt(x, y) || x.tx - y.tx,
  avet: (x: Datom, y: Datom): number => compareFacts.avet(x, y) || x.tx - y.tx,
});

/**
 * A stretch of an index: negative for a datom before it, 0 inside, positive behind. Must rise along
 * the index.
 */
export interface Range {
  readonly index: Index;
  readonly place: (datom: Datom) => number;
}

/** Everything in an index. */
export function all(index: Index): Range {
  return { index, place: () => 0 };
}

/** In EAVT: the datoms of an entity, of one attribute of it, or with one value there. */
export function ofEntity(e: number, a?: string, v?: Value): Range {
  const key = a === undefined ? undefined : sortKey(a);
  return {
    index: "eavt",
    place: (datom) =>
      datom.e - e || (key === undefined ? 0 : compareText(datom.sortKey, key)) ||
      (v === undefined ? 0 : compareValues(datom.v, v)),
  };
}

/** In EAVT: the datoms of the entities with from ≤ e < to. */
export function ofEntities(from: number, to: number): Range {
  return { index: "eavt", place: ({ e }) => e < from ? -1 : e < to ? 0 : 1 };
}

/** In AEVT: the datoms of an attribute. */
export function ofAttribute(a: string): Range {
  const key = sortKey(a);
  return { index: "aevt", place: (datom) => compareText(datom.sortKey, key) };
}

/** In AVET: the datoms that give an indexed attribute this value; from entity `fromE` on. */
export function ofValue(a: string, v: Value, fromE = 0): Range {
  const key = sortKey(a);
  return {
    index: "avet",
    place: (datom) => {
      const order = compareText(datom.sortKey, key) || compareValues(datom.v, v);
      return order === 0 && datom.e < fromE ? -1 : order;
    },
  };
}
