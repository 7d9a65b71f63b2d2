/**
 * The values that a datom can hold, as they come out of Transit, and their equality as
 * ClojureScript's `=` sees it. Order is in `compare.ts`, hash in `hash.ts`.
 */

/** A keyword without its colon: `:db/ident` is `new Keyword("db/ident")`. Compare by name. */
export class Keyword {
  constructor(readonly name: string) {}
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
  if (x instanceof SetValue) return y instanceof SetValue && equalSets(x, y);
  if (x instanceof Tagged) return y instanceof Tagged && x.tag === y.tag && equal(x.rep, y.rep);
  const xs = sequence(x);
  const ys = sequence(y);
  if (xs === undefined || ys === undefined || xs.length !== ys.length) return false;
  return xs.every((item, i) => equal(item, ys[i] ?? null));
}

function equalMaps(x: MapValue, y: MapValue): boolean {
  return x.entries.length === y.entries.length &&
    x.entries.every(([xk, xv]) => y.entries.some(([yk, yv]) => equal(xk, yk) && equal(xv, yv)));
}

function equalSets(x: SetValue, y: SetValue): boolean {
  return x.items.length === y.items.length &&
    x.items.every((item) => y.items.some((other) => equal(item, other)));
}
