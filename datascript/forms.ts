/**
 * Transaction forms (datascript.md §4): what a client sends, parsed as far as the form alone tells.
 * What an attribute is, and so whether a value names an entity, depends on the schema at its turn.
 */

import { MAX_EID } from "./datom.ts";
import { TransactError } from "./errors.ts";
import type { Schema } from "./schema.ts";
import {
  collection,
  Keyword,
  MapValue,
  Numbering,
  sequence,
  SetValue,
  Tagged,
  Uuid,
  type Value,
} from "./value.ts";

/** How large a form may be. */
export interface FormLimits {
  /**
   * Collections in collections, the form itself being the first. Real values have a few. A text that
   * nests by thousands can be read just once: with what log and tail put around it, it overflows the
   * stack of whoever reads it next, and the graph can't be opened any more.
   */
  readonly depth: number;
  /**
   * Characters of a keyword or a uuid. What they name is told by them again and again, in the tail and in
   * log entries: one attribute of a million characters used 480 times ended the process.
   */
  readonly name: number;
  /**
   * Characters of a form that puts something in: of its texts and names, and some more for each value. A
   * node holds 32 of them as one row, and an imported row may have as many: five values of 45 million
   * characters in one graph ended the process, and so did a million uuids as one value.
   */
  readonly size: number;
}

const CLIENTS_LIMITS: FormLimits = { depth: 200, name: 1024, size: 16 * 1024 * 1024 };

/** Of what was accepted: its entry in the log calls entities by other names, which may be longer. */
export const NO_LIMITS: FormLimits = { depth: Infinity, name: Infinity, size: Infinity };

const SIZE_OF_VALUE = 8;

/**
 * Clients' transit-js looks tags up in a plain object, and fails on most of what it finds there. The last one
 * is what browsers' objects have, and Deno's have not.
 */
const OF_ALL_OBJECTS: ReadonlySet<string> = new Set([
  ...Object.getOwnPropertyNames(Object.prototype),
  "__proto__",
]);

/**
 * Clients have readers for these, and the readers of DataScript and transit-cljs throw for most of what they may
 * tag: then a client gets no further than this entry, ever again. No client writes one as a value.
 */
const OF_READERS: ReadonlySet<string> = new Set(["datascript/DB", "datascript/Datom", "with-meta"]);

/** An entity as a form names it. */
export type EntityRef =
  | { readonly kind: "eid"; readonly eid: number }
  | { readonly kind: "lookup"; readonly a: string; readonly v: Value }
  | { readonly kind: "ident"; readonly name: string }
  | { readonly kind: "tempid"; readonly id: Tempid }
  /** The transaction itself: `:db/current-tx`. */
  | { readonly kind: "tx" };

/** A negative integer or a text, shared by the whole batch; an object for a map without `:db/id`. */
export type Tempid = number | string | object;

export type Form =
  | { readonly op: "add"; readonly e: EntityRef; readonly a: string; readonly v: Value }
  | {
    readonly op: "retract";
    readonly e: EntityRef;
    readonly a: string;
    /** Without one all values of the attribute go. */
    readonly v: Value | undefined;
  }
  | { readonly op: "retractEntity"; readonly e: EntityRef }
  | {
    readonly op: "cas";
    readonly e: EntityRef;
    readonly a: string;
    readonly before: Value;
    readonly v: Value;
  }
  | EntityForm;

/** A map: an entity with attributes. Values may be collections, nested maps, or one value. */
export interface EntityForm {
  readonly op: "entity";
  readonly e: EntityRef;
  readonly attributes: readonly (readonly [a: string, v: Value])[];
}

/** @throws {TransactError} the value is no list or vector, or an element is no form */
export function parseForms(
  value: Value,
  limits: FormLimits = CLIENTS_LIMITS,
): readonly Form[] {
  const forms = sequence(value);
  if (forms === undefined) {
    throw new TransactError("form-syntax", "Transaction data must be a list or a vector of forms");
  }
  return forms.map((form) => parseForm(form, limits));
}

function parseForm(value: Value, limits: FormLimits): Form {
  const [op, e, a, v, last] = sequence(value) ?? [];
  // What is there already, by an import, may go.
  const takesOut = op instanceof Keyword && /retract/.test(op.name);
  checkValue(value, limits.depth, {
    limits,
    size: takesOut ? Infinity : limits.size,
    tags: 0,
    numbering: new Numbering(),
  });
  if (value instanceof MapValue) return parseEntity(value);
  if (!(op instanceof Keyword) || e === undefined) {
    throw new TransactError(
      "form-syntax",
      "A form must be a map, or a vector that begins with an operation and an entity",
    );
  }
  switch (op.name) {
    case "db/add":
      return { op: "add", e: parseEntityRef(e), a: parseAttribute(a), v: parseValue(v) };
    case "db/retract":
      return {
        op: "retract",
        e: withoutTempid(parseEntityRef(e)),
        a: parseAttribute(a),
        v: v ?? undefined,
      };
    case "db.fn/retractAttribute":
      return {
        op: "retract",
        e: withoutTempid(parseEntityRef(e)),
        a: parseAttribute(a),
        v: undefined,
      };
    case "db/retractEntity":
    case "db.fn/retractEntity":
      return { op: "retractEntity", e: withoutTempid(parseEntityRef(e)) };
    case "db/cas":
    case "db.fn/cas":
      return {
        op: "cas",
        e: withoutTempid(parseEntityRef(e)),
        a: parseAttribute(a),
        before: v ?? null,
        v: parseValue(last),
      };
    default:
      throw new TransactError("form-syntax", `Unknown operation :${op.name}`);
  }
}

/**
 * @throws {TransactError} NaN, which has no place in any order; a key or an element twice, of which a
 * client reads one; a tag that no client reads, or a set behind one; nested too deeply, or too long
 */
function checkValue(
  value: Value,
  depth: number,
  left: { readonly limits: FormLimits; size: number; tags: number; readonly numbering: Numbering },
): void {
  const { limits } = left;
  if (typeof value === "number" && Number.isNaN(value)) {
    throw new TransactError("value-syntax", "A value must not be NaN");
  }
  left.size -= SIZE_OF_VALUE + (typeof value === "string" ? value : nameOf(value)).length;
  if (left.size < 0) {
    throw new TransactError("value-syntax", `A form must not be longer than ${limits.size}`);
  }
  if (typeof value !== "object" || value === null) return;
  checkName(value, limits.name);
  if (depth === 0) {
    throw new TransactError("value-syntax", `A form must not nest deeper than ${limits.depth}`);
  }
  if (value instanceof MapValue) {
    for (const [key, held] of value.entries) {
      checkValue(key, depth - 1, left);
      checkValue(held, depth - 1, left);
    }
    if (left.numbering.hasEqual(value.entries.map(([key]) => key))) {
      throw new TransactError("value-syntax", "A map must not have a key twice");
    }
  } else if (value instanceof Tagged) {
    if (OF_ALL_OBJECTS.has(value.tag) || OF_READERS.has(value.tag)) {
      throw new TransactError("value-syntax", `No client can read the tag ${value.tag}`);
    }
    left.tags++;
    checkValue(value.rep, depth - 1, left);
    left.tags--;
  } else for (const item of collection(value) ?? []) checkValue(item, depth - 1, left);
  // Clients' transit-js can't hash it, as a larger set or map does with what is in it when it is read.
  if (value instanceof SetValue && left.tags > 0) {
    throw new TransactError("value-syntax", "A set must not be behind a tag");
  }
  if (value instanceof SetValue && left.numbering.hasEqual(value.items)) {
    throw new TransactError("value-syntax", "A set must not hold a value twice");
  }
}

/** @throws {TransactError} */
function checkName(value: Value, most: number): void {
  if (nameOf(value).length > most) {
    throw new TransactError(
      "value-syntax",
      `A keyword or uuid must not be longer than ${most}`,
    );
  }
}

function nameOf(value: Value): string {
  return value instanceof Keyword ? value.name : value instanceof Uuid ? value.text : "";
}

/** @throws {TransactError} */
export function parseEntity(map: MapValue): EntityForm {
  let e: EntityRef = { kind: "tempid", id: {} };
  const attributes: [string, Value][] = [];
  for (const [key, value] of map.entries) {
    const a = parseAttribute(key);
    if (a === "db/id") e = value === null ? e : parseEntityRef(value);
    else attributes.push([a, parseValue(value)]);
  }
  return { op: "entity", e, attributes };
}

/** @throws {TransactError} the value can't name an entity */
export function parseEntityRef(value: Value): EntityRef {
  if (typeof value === "number") {
    if (Number.isSafeInteger(value) && value !== 0 && value <= MAX_EID) {
      return value < 0 ? { kind: "tempid", id: value } : { kind: "eid", eid: value };
    }
    throw new TransactError("entity-id-syntax", `An entity's id can't be ${value}`);
  }
  if (typeof value === "string") {
    return TX_NAMES.has(value) ? { kind: "tx" } : { kind: "tempid", id: value };
  }
  if (value instanceof Keyword) {
    return value.name === "db/current-tx" ? { kind: "tx" } : { kind: "ident", name: value.name };
  }
  const lookup = sequence(value);
  if (lookup === undefined) {
    throw new TransactError(
      "entity-id-syntax",
      "An entity must be an id, a lookup ref, an ident or a tempid",
    );
  }
  const [a, v] = lookup;
  if (lookup.length !== 2 || !(a instanceof Keyword) || v === undefined) {
    throw new TransactError("lookup-ref-syntax", "A lookup ref must be an attribute and a value");
  }
  return { kind: "lookup", a: a.name, v };
}

const TX_NAMES: ReadonlySet<string> = new Set([":db/current-tx", "datomic.tx", "datascript.tx"]);

/** Only an assertion can make an entity. */
function withoutTempid(ref: EntityRef): EntityRef {
  if (ref.kind !== "tempid") return ref;
  throw new TransactError("tempid-in-retraction", "A tempid can only be used in :db/add");
}

function parseAttribute(value: Value | undefined): string {
  if (value instanceof Keyword) return value.name;
  throw new TransactError("attribute-syntax", "An attribute must be a keyword");
}

function parseValue(value: Value | undefined): Value {
  if (value !== undefined && value !== null) return value;
  throw new TransactError("value-missing", "A value must not be missing or nil");
}

/**
 * `:x/_y` → `:x/y`; `undefined` for one that is straight itself. In a map it says that the entities named
 * are the ones that have `:x/y`.
 */
export function straightOf(a: string): string | undefined {
  const name = nameStart(a);
  return a[name] === "_" ? a.slice(0, name) + a.slice(name + 1) : undefined;
}

/** `:x/y` → `:x/_y`. */
export function reverseOf(a: string): string {
  const name = nameStart(a);
  return `${a.slice(0, name)}_${a.slice(name)}`;
}

/** Where an attribute's name begins, behind its namespace. */
function nameStart(a: string): number {
  return a.length > 1 ? a.lastIndexOf("/") + 1 : 0;
}

/** Whether a collection is one value, a lookup ref, and not several. */
export function isLookupRef(value: Value, schema: Schema): boolean {
  const items = sequence(value) ?? [];
  const [a] = items;
  return items.length === 2 && a instanceof Keyword && schema.isIdentity(a.name);
}
