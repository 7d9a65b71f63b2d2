/**
 * The order of attributes and values (datascript.md §3). A Logseq client walks our trees with
 * this order; a tree that is sorted otherwise silently loses datoms there.
 */

import { hash } from "./hash.ts";
import { ARRAY_MAP_LIMIT } from "./trie_order.ts";
import { Keyword, keywordParts, MapValue, sequence, SetValue, Tagged, Uuid } from "./value.ts";
import type { Value } from "./value.ts";

/** By UTF-16 code unit. */
export function compareText(x: string, y: string): number {
  return x === y ? 0 : x < y ? -1 : 1;
}

/** Keywords by name text: those without a namespace first, then by namespace, then by name. */
export function compareKeywords(x: string, y: string): number {
  return x === y ? 0 : compareText(sortKey(x), sortKey(y));
}

/** Clients choose the names, so what is kept of them has a bound. */
const MAX_SORT_KEYS = 10_000;
const sortKeys = new Map<string, string>();

/**
 * A text by which keywords sort as texts do: NUL in front where there is no namespace, and two of them
 * behind one; a single one in it is marked. Splitting on every comparison was a third of a batch's time.
 */
export function sortKey(name: string): string {
  const known = sortKeys.get(name);
  if (known !== undefined) return known;
  const [namespace, own] = keywordParts(name);
  const key = namespace === undefined
    ? `\0${own}`
    : `\x01${namespace.replaceAll("\0", "\0\x01")}\0\0${own}`;
  if (sortKeys.size >= MAX_SORT_KEYS) sortKeys.clear();
  sortKeys.set(name, key);
  return key;
}

/** Any two values: negative, 0 (equal) or positive. Total, and the same on every machine. */
export function compareValues(x: Value, y: Value): number {
  if (x === y) return 0;
  if (typeof x === "number" && typeof y === "number") return x < y ? -1 : x > y ? 1 : 0;
  if (typeof x === "string" && typeof y === "string") return compareText(x, y);
  if (x instanceof Keyword && y instanceof Keyword) return compareKeywords(x.name, y.name);
  if (x instanceof Uuid && y instanceof Uuid) return compareText(x.text, y.text);
  if (typeof x === "boolean" && typeof y === "boolean") return x ? 1 : -1;
  if (x instanceof Date && y instanceof Date) return x.getTime() - y.getTime();
  const xs = sequence(x);
  const ys = sequence(y);
  if (xs !== undefined && ys !== undefined) return compareSequences(xs, ys);
  // Equal values are of one type and hash alike.
  const byType = compareText(typeName(x), typeName(y));
  return byType !== 0 ? byType : hash(x) - hash(y);
}

function compareSequences(xs: readonly Value[], ys: readonly Value[]): number {
  if (xs.length !== ys.length) return xs.length - ys.length;
  for (let i = 0; i < xs.length; i++) {
    const x = xs[i] ?? null;
    const y = ys[i] ?? null;
    const order = x === null || y === null
      ? Number(x !== null) - Number(y !== null)
      : compareValues(x, y);
    if (order !== 0) return order;
  }
  return 0;
}

/**
 * The name of a value's type as ClojureScript prints it: the order between unlike values. Release
 * builds, which is what people run, have no names for its types but the text of their constructors,
 * so it is the number of fields that counts (and all come after the types that JavaScript has).
 */
function typeName(value: Value): string {
  switch (typeof value) {
    case "number":
      return "function Number() { [native code] }";
    case "string":
      return "function String() { [native code] }";
    case "boolean":
      return "function Boolean() { [native code] }";
  }
  if (value === null) return "";
  if (value instanceof Date) return "function Date() { [native code] }";
  if (value instanceof Uuid) return "function(a,b){this.uuid";
  if (value instanceof Tagged) return "function(a,b){this.tag";
  if (value instanceof SetValue) return "function(a,b,c){";
  if (value instanceof Keyword) return "function(a,b,c,d){this.ns";
  if (value instanceof MapValue) {
    return value.entries.length <= ARRAY_MAP_LIMIT
      ? "function(a,b,c,d){this.cnt"
      : "function(a,b,c,d,e,f){this.root";
  }
  // Lists too, which are told from vectors by their items alone.
  return "function(a,b,c,d,e,f){this.shift";
}
