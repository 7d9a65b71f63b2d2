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
  return equalInside(x, y, new Numbering());
}

/** The same of what holds other values. Mostly the order is the same, too. */
function equalInside(x: Value, y: Value, numbering: Numbering): boolean {
  const areEqual = (one: Value, other: Value | undefined): boolean =>
    other !== undefined &&
    (holdsOthers(one) ? equalInside(one, other, numbering) : equal(one, other));
  if (x instanceof Tagged) return y instanceof Tagged && x.tag === y.tag && areEqual(x.rep, y.rep);
  if (x instanceof MapValue) {
    if (!(y instanceof MapValue) || x.entries.length !== y.entries.length) return false;
    const isSame = ([key, held]: readonly [Value, Value], i: number): boolean =>
      areEqual(key, y.entries[i]?.[0]) && areEqual(held, y.entries[i]?.[1]);
    return x.entries.every(isSame) || numbering.of(x) === numbering.of(y);
  }
  if (x instanceof SetValue) {
    if (!(y instanceof SetValue) || x.items.length !== y.items.length) return false;
    return x.items.every((item, i) => areEqual(item, y.items[i])) ||
      numbering.of(x) === numbering.of(y);
  }
  const xs = sequence(x);
  const ys = sequence(y);
  if (xs === undefined || ys === undefined || xs.length !== ys.length) return false;
  return xs.every((item, i) => areEqual(item, ys[i]));
}

function holdsOthers(value: Value): boolean {
  return value instanceof MapValue || value instanceof Tagged || collection(value) !== undefined;
}

/**
 * Numbers that equal values have in common, and others don't. What holds others gets its own of theirs,
 * and each just once: held against each other, or by a text for each level of all that is in it, values
 * that fit into one message took minutes.
 */
export class Numbering {
  /** By themselves: texts, numbers and the like; what holds others, each time that it is the same object. */
  readonly #known = new Map<Value, number>();
  readonly #byText = new Map<string, number>();
  #count = 0;

  of(value: Value): number {
    let number = this.#known.get(value);
    if (number === undefined) {
      number = typeof value === "object" && value !== null
        ? this.#ofText(this.#textOf(value))
        : this.#count++;
      this.#known.set(value, number);
    }
    return number;
  }

  /** Whether some of these values are equal, as keys of a map or elements of a set can't be. */
  hasEqual(values: readonly Value[]): boolean {
    return values.length > 1 && new Set(values.map((value) => this.of(value))).size < values.length;
  }

  #ofText(text: string): number {
    const number = this.#byText.get(text) ?? this.#count++;
    this.#byText.set(text, number);
    return number;
  }

  /** The first character tells the kind. */
  #textOf(value: Exclude<Value, null | boolean | number | string>): string {
    if (value instanceof Keyword) return `:${value.name}`;
    if (value instanceof Uuid) return `u${value.text}`;
    if (value instanceof Date) return `m${value.getTime()}`;
    if (value instanceof Tagged) return `~${this.of(value.rep)} ${value.tag}`;
    if (value instanceof MapValue) {
      return `{${value.entries.map(([key, held]) => `${this.of(key)} ${this.of(held)}`).sort()}`;
    }
    if (value instanceof SetValue) return `#${value.items.map((item) => this.of(item)).sort()}`;
    return `[${(sequence(value) ?? []).map((item) => this.of(item))}`;
  }
}
