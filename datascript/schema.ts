/**
 * The schema of a database: what each attribute is. It comes out of the root row and follows the
 * datoms of `:db/…` attributes, which change it from the next form on (datascript.md §4).
 */

import { type Datom, keywordOf } from "./datom.ts";
import { CorruptRowError } from "./errors.ts";
import { compareInTrie } from "./trie_order.ts";
import { equal, Keyword, MapValue, type Value } from "./value.ts";

/** Attributes whose datoms are the schema. */
const SCHEMA_ATTRIBUTES: ReadonlySet<string> = new Set([
  "db/ident",
  "db/isComponent",
  "db/valueType",
  "db/cardinality",
  "db/unique",
  "db/index",
  "db/doc",
]);

export function isSchemaAttribute(a: string): boolean {
  return SCHEMA_ATTRIBUTES.has(a);
}

/** What an attribute is, with what follows from it. */
interface Properties {
  readonly ref: boolean;
  readonly many: boolean;
  readonly unique: "identity" | "value" | undefined;
  /** Its datoms are in AVET. */
  readonly indexed: boolean;
  readonly component: boolean;
}

const PLAIN: Properties = {
  ref: false,
  many: false,
  unique: undefined,
  indexed: false,
  component: false,
};

const EMPTY_MAP = new MapValue([]);
const IDENT = "db/ident";

export class Schema {
  /** Attribute → its map, as the root row has it. */
  readonly #attributes: Map<string, MapValue>;
  /** Eid → the attribute that came with it by transaction, or what is known of it before its ident. */
  readonly #eids: Map<number, string | MapValue>;
  readonly #owner: object | undefined;
  readonly #properties = new Map<string, Properties>();
  #refAttributes: readonly string[] | undefined;

  private constructor(
    attributes: Map<string, MapValue>,
    eids: Map<number, string | MapValue>,
    owner?: object,
  ) {
    this.#attributes = attributes;
    this.#eids = eids;
    this.#owner = owner;
  }

  static readonly EMPTY = new Schema(new Map(), new Map());

  /** @throws {CorruptRowError} the value is no schema */
  static decode(value: Value): Schema {
    if (!(value instanceof MapValue)) throw new CorruptRowError("Cannot read a schema: no map");
    const attributes = new Map<string, MapValue>();
    const eids = new Map<number, string | MapValue>();
    for (const [key, entry] of value.entries) {
      if (key instanceof Keyword && entry instanceof MapValue) attributes.set(key.name, entry);
      else if (typeof key === "number" && entry instanceof Keyword) eids.set(key, entry.name);
      else if (typeof key === "number" && entry instanceof MapValue) eids.set(key, entry);
      else throw new CorruptRowError("Cannot read a schema: an entry is of another kind");
    }
    return new Schema(attributes, eids);
  }

  encode(): Value {
    const eids = [...this.#eids].map(([e, entry]): [Value, Value] => [
      e,
      typeof entry === "string" ? keywordOf(entry) : entry,
    ]);
    const attributes = [...this.#attributes].map(([a, map]): [Value, Value] => [keywordOf(a), map]);
    return new MapValue([...attributes, ...eids]);
  }

  /** Whether it says anything of an attribute. */
  has(a: string): boolean {
    return this.#attributes.has(a);
  }

  isRef(a: string): boolean {
    return this.#of(a).ref;
  }

  isMany(a: string): boolean {
    return this.#of(a).many;
  }

  isUnique(a: string): boolean {
    return this.#of(a).unique !== undefined;
  }

  /** Whether its values name entities: a tempid that has one is the entity that has it already. */
  isIdentity(a: string): boolean {
    return this.#of(a).unique === "identity";
  }

  isIndexed(a: string): boolean {
    return this.#of(a).indexed;
  }

  isComponent(a: string): boolean {
    return this.#of(a).component;
  }

  /** All ref attributes, in the order in which DataScript goes through them. */
  refAttributes(): readonly string[] {
    return this.#refAttributes ??= [...this.#attributes.keys()]
      .filter((a) => this.isRef(a))
      .sort(compareInTrie);
  }

  /**
   * The schema after a datom of a schema attribute; as DataScript does, it forgives what can't be.
   *
   * @param owner a schema that was made for one owner is changed in place for it from then on. Without
   *   one each is copied, which took minutes where a batch made tens of thousands of attributes.
   */
  with(datom: Datom, owner?: object): Schema {
    const isOwn = owner !== undefined && owner === this.#owner;
    const schema = isOwn ? this : new Schema(new Map(this.#attributes), new Map(this.#eids), owner);
    schema.#change(datom);
    return schema;
  }

  #change(datom: Datom): void {
    const { e, a, v } = datom;
    const known = this.#eids.get(e);
    const name = a === IDENT && v instanceof Keyword
      ? v.name
      : typeof known === "string"
      ? known
      : undefined;
    if (name === undefined) return this.#note(datom);
    const wasRef = this.isRef(name);
    this.#note(datom);
    this.#properties.delete(name);
    // Gathered and sorted anew for each form of a batch that makes, or ends, many, it took minutes.
    if (this.isRef(name) !== wasRef) this.#moveRef(name, !wasRef);
  }

  /** An attribute comes to the ref attributes, or goes from them, if they were asked for. */
  #moveRef(name: string, isRef: boolean): void {
    const refs = this.#refAttributes;
    if (refs === undefined) return;
    if (!isRef) {
      this.#refAttributes = refs.filter((other) => other !== name);
      return;
    }
    let [low, high] = [0, refs.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareInTrie(refs[middle] ?? "", name) <= 0) low = middle + 1;
      else high = middle;
    }
    this.#refAttributes = refs.toSpliced(low, 0, name);
  }

  #note({ e, a, v, added }: Datom): void {
    const [attributes, eids] = [this.#attributes, this.#eids];
    const known = eids.get(e);
    if (a === IDENT && v instanceof Keyword) {
      const map = attributes.get(v.name);
      if (added) {
        const before = known instanceof MapValue ? known : EMPTY_MAP;
        attributes.set(v.name, withKey(merged(before, map ?? EMPTY_MAP), IDENT, v));
        eids.set(e, v.name);
      } else if (map !== undefined) {
        eids.set(e, withoutKey(map, IDENT));
        attributes.delete(v.name);
      }
    } else {
      const owner = typeof known === "string" && attributes.has(known) ? known : undefined;
      const map = owner === undefined ? known : attributes.get(owner);
      const base = map instanceof MapValue ? map : EMPTY_MAP;
      const changed = added ? withKey(base, a, v) : withoutKey(base, a);
      if (owner !== undefined) attributes.set(owner, changed);
      else if (added || map !== undefined) eids.set(e, changed);
    }
  }

  #of(a: string): Properties {
    let properties = this.#properties.get(a);
    if (properties === undefined) {
      const map = this.#attributes.get(a);
      properties = map === undefined && a !== IDENT ? PLAIN : propertiesOf(a, map ?? EMPTY_MAP);
      this.#properties.set(a, properties);
    }
    return properties;
  }
}

function propertiesOf(a: string, map: MapValue): Properties {
  const unique = keywordIn(map, "db/unique");
  const identity = unique === "db.unique/identity" ||
    // DataScript's own: lookup by ident works in every database.
    (a === IDENT && unique === undefined);
  const ref = keywordIn(map, "db/valueType") === "db.type/ref";
  const isUnique = identity || unique === "db.unique/value";
  return {
    ref,
    many: keywordIn(map, "db/cardinality") === "db.cardinality/many",
    unique: identity ? "identity" : isUnique ? "value" : undefined,
    indexed: ref || isUnique || map.get("db/index") === true,
    component: map.get("db/isComponent") === true,
  };
}

function keywordIn(map: MapValue, key: string): string | undefined {
  const value = map.get(key);
  return value instanceof Keyword ? value.name : undefined;
}

function withKey(map: MapValue, name: string, value: Value): MapValue {
  return new MapValue([...withoutKey(map, name).entries, [keywordOf(name), value]]);
}

function withoutKey(map: MapValue, name: string): MapValue {
  return new MapValue(map.entries.filter(([key]) => !equal(key, keywordOf(name))));
}

/** Entries of `over` win. */
function merged(under: MapValue, over: MapValue): MapValue {
  const kept = under.entries.filter(([key]) => !over.entries.some(([other]) => equal(key, other)));
  return new MapValue([...kept, ...over.entries]);
}
