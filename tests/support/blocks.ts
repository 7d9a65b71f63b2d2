/** Small Logseq graphs, and databases compared by what their entities are called. */
import type { Datom } from "../../datascript/datom.ts";
import type { Db } from "../../datascript/db.ts";
import { Schema } from "../../datascript/schema.ts";
import { MapValue, type Value } from "../../datascript/value.ts";
import { LOGSEQ_SCHEMA } from "../../logseq/schema.ts";
import { fact, schemaOf, showValue, type Written } from "./written.ts";

const REF = ":db.type/ref";
const MANY = ":db.cardinality/many";

/** Logseq's own, with what classes extend and a property that may have several texts. */
export const GRAPH_SCHEMA: Schema = (() => {
  const own = LOGSEQ_SCHEMA.encode();
  const more = schemaOf({
    "logseq.property.class/extends": { ":db/valueType": REF, ":db/cardinality": MANY },
    "user.property/texts": { ":db/cardinality": MANY },
  }).encode();
  const entries = [own, more].flatMap((map) => map instanceof MapValue ? map.entries : []);
  return Schema.decode(new MapValue(entries));
})();

/** The uuid of the block of this eid. */
export function uuid(e: number): string {
  return `#u00000000-0000-4000-8000-${String(e).padStart(12, "0")}`;
}

/** `[:block/uuid u]` of the block of this eid. */
export function ref(e: number): Written {
  return [":block/uuid", uuid(e)];
}

/** A block with a uuid, and what else is said of it. */
export function block(e: number, attributes: Readonly<Record<string, Written>>): readonly Datom[] {
  return Object.entries({ "block/uuid": uuid(e), ...attributes }).map(([a, v]) => fact(e, a, v));
}

/**
 * The facts of a database, each with names in the place of eids, sorted: what two databases have in
 * common that came to the same by different ways. Transactions are left out.
 */
export function meaningOf(db: Db): readonly string[] {
  const names = new Map<number, string>();
  const nameOf = (e: number): string => {
    const known = names.get(e);
    if (known !== undefined) return known;
    const own = db.value(e, "block/uuid") ?? db.value(e, "db/ident") ?? db.value(e, "file/path");
    const name = own === undefined ? `entity ${e}` : showValue(own);
    names.set(e, name);
    return name;
  };
  return db.everything("eavt").map(({ e, a, v }) => {
    const told = db.schema.isRef(a) && typeof v === "number" ? nameOf(v) : showValue(canonical(v));
    return `${nameOf(e)} :${a} ${told}`;
  }).sort();
}

/** Maps in one order of their keys. */
function canonical(v: Value): Value {
  if (!(v instanceof MapValue)) return v;
  return new MapValue(
    v.entries.toSorted(([x], [y]) => showValue(x) < showValue(y) ? -1 : 1)
      .map(([key, held]) => [key, canonical(held)]),
  );
}

/** The facts that only one of two databases has, a few of them. */
export function differencesOfMeaning(actual: Db, expected: Db): readonly string[] {
  const [ours, theirs] = [meaningOf(actual), meaningOf(expected)];
  const [had, wanted] = [new Set(ours), new Set(theirs)];
  return [
    ...ours.filter((line) => !wanted.has(line)).map((line) => `only here: ${line}`),
    ...theirs.filter((line) => !had.has(line)).map((line) => `missing: ${line}`),
    ...(ours.length === theirs.length ? [] : [`${ours.length} facts, expected ${theirs.length}`]),
  ].slice(0, 8);
}
