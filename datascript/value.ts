/**
 * The values that a datom can hold, as they come out of Transit, and their equality as
 * ClojureScript's `=` sees it. Order is in `compare.ts`, hash in `hash.ts`.
 */

/** A keyword without its colon: `:db/ident` is `new Keyword("db/ident")`. Compare by name. */
export class Keyword {
  constructor(readonly name: string) {}
}

/**
 * Namespace and name, as ClojureScript reads them out of Transit: of a text with several slashes it
 * takes what is before the first for the name, and drops the rest.
 */
export function keywordParts(name: string): readonly [namespace: string | undefined, name: string] {
  if (name === "/") return [undefined, name];
  const [first = "", second, ...more] = name.split("/");
  return second === undefined || more.length > 0 ? [undefined, first] : [first, second];
}

/** A UUID as lower-case text. Logseq has some that are no hexadecimal, so any text may come. */
export class Uuid {
  readonly text: string;
  constructor(text: string) {
    this.text = text.toLowerCase();
  }
}

/** A Clojure list (`~#list`); equal to a vector with the same elements. */
export class List {
  constructor(readonly items: readonly Value[]) {}
}

/** A Clojure map, entries in the order in which they came. */
export class MapValue {
  constructor(readonly entries: readonly (readonly [Value, Value])[]) {}

  /** The value under the keyword of this name, if any. */
  get(name: string): Value | undefined {
    for (const [key, value] of this.entries) {
      if (key instanceof Keyword && key.name === name) return value;
    }
    return undefined;
  }
}

/** A Clojure set, elements in the order in which they came. */
export class SetValue {
  constructor(readonly items: readonly Value[]) {}
}

/**
 * A tag that nobody here knows, kept with what it tags so that it survives a round trip. Symbols,
 * URIs, bytes and integers beyond 2^53 too: nothing here looks into them.
 */
export class Tagged {
  constructor(readonly tag: string, readonly rep: Value) {}
}

export type Value =
  | null
  | boolean
  | number
  | string
  | Keyword
  | Uuid
  | Date
  | List
  | MapValue
  | SetValue
  | Tagged
  | readonly Value[];

/** The elements of a vector or list; undefined for anything else. */
export function sequence(value: Value): readonly Value[] | undefined {
  if (value instanceof List) return value.items;
  return isVector(value) ? value : undefined;
}

/** The elements of a vector, list or set; undefined for anything else. */
export function collection(value: Value): readonly Value[] | undefined {
  return value instanceof SetValue ? value.items : sequence(value);
}

export function isVector(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

/** Equality by content: vectors equal lists, maps and sets regardless of order. */
export function equal(x: Value, y: Value): boolean {
  if (x === y) return true;
  if (typeof x !== "object" || typeof y !== "object" || x === null || y === null) return false;
  if (x instanceof Keyword) return y instanceof Keyword && x.name === y.name;
  if (x instanceof Uuid) return y instanceof Uuid && x.text === y.text;
  if (x instanceof Date) return y instanceof Date && x.getTime() === y.getTime();
  if (x instanceof MapValue) return y instanceof MapValue && equalMaps(x, y);
  if (x instanceof SetValue) {
    return y instanceof SetValue && equalInAnyOrder(x.items, y.items, equal, keyOf);
  }
  if (x instanceof Tagged) return y instanceof Tagged && x.tag === y.tag && equal(x.rep, y.rep);
  const xs = sequence(x);
  const ys = sequence(y);
  if (xs === undefined || ys === undefined || xs.length !== ys.length) return false;
  return xs.every((item, i) => equal(item, ys[i] ?? null));
}

function equalMaps(x: MapValue, y: MapValue): boolean {
  const areSame = ([xk, xv]: Entry, [yk, yv]: Entry): boolean => equal(xk, yk) && equal(xv, yv);
  return equalInAnyOrder(x.entries, y.entries, areSame, keyOfEntry);
}

type Entry = readonly [Value, Value];

/**
 * Mostly the order is the same, too. Else they are put into one by a text of each: each held against
 * each of the others took minutes for a map that fits into one message.
 */
function equalInAnyOrder<Item>(
  xs: readonly Item[],
  ys: readonly Item[],
  areSame: (x: Item, y: Item) => boolean,
  keyOf: (item: Item) => string,
): boolean {
  if (xs.length !== ys.length) return false;
  const isSame = (x: Item, i: number): boolean => {
    const y = ys[i];
    return y !== undefined && areSame(x, y);
  };
  if (xs.every(isSame)) return true;
  const [xKeys, yKeys] = [xs.map(keyOf).sort(), ys.map(keyOf).sort()];
  return xKeys.every((key, i) => key === yKeys[i]);
}

/** Whether some of these values are equal, as keys of a map or elements of a set can't be. */
export function hasEqual(values: readonly Value[]): boolean {
  return values.length > 1 && new Set(values.map(keyOf)).size < values.length;
}

/** A text that equal values have in common, and others don't. */
function keyOf(value: Value): string {
  // 0 and -0, which are equal, are one text.
  if (value === null || typeof value === "boolean" || typeof value === "number") {
    return String(value);
  }
  if (typeof value === "string") return JSON.stringify(value);
  if (value instanceof Keyword) return `:${JSON.stringify(value.name)}`;
  if (value instanceof Uuid) return `u${JSON.stringify(value.text)}`;
  if (value instanceof Date) return `m${value.getTime()}`;
  if (value instanceof MapValue) return `{${value.entries.map(keyOfEntry).sort().join()}}`;
  if (value instanceof SetValue) return `#{${value.items.map(keyOf).sort().join()}}`;
  if (value instanceof Tagged) return `~${JSON.stringify(value.tag)}(${keyOf(value.rep)})`;
  return `[${(sequence(value) ?? []).map(keyOf).join()}]`;
}

function keyOfEntry([key, value]: Entry): string {
  return `${keyOf(key)} ${keyOf(value)}`;
}
