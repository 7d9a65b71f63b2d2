/** Values, forms and datoms as a test's table writes them: short, and legible in a failure. */
import { Datom, TX0 } from "../../datascript/datom.ts";
import type { Db } from "../../datascript/db.ts";
import { TransactError } from "../../datascript/errors.ts";
import { type Form, parseForms } from "../../datascript/forms.ts";
import type { TxReport } from "../../datascript/report.ts";
import { Schema } from "../../datascript/schema.ts";
import { transact } from "../../datascript/transact.ts";
import { decode, encode } from "../../datascript/transit.ts";
import {
  Keyword,
  List,
  MapValue,
  SetValue,
  Tagged,
  Uuid,
  type Value,
} from "../../datascript/value.ts";

/**
 * A value as it is written here: `":a/b"` is a keyword, `"#u…"` a UUID, an array a vector, an object
 * a map whose keys are written so too; a value of the engine is itself.
 */
export type Written =
  | Exclude<Value, readonly Value[]>
  | readonly Written[]
  | { readonly [key: string]: Written };

export function value(written: Written): Value {
  if (typeof written === "string") return text(written);
  if (typeof written !== "object" || written === null) return written;
  if (isArray(written)) return written.map(value);
  if (isOurs(written)) return written;
  return new MapValue(Object.entries(written).map(([key, v]) => [text(key), value(v)]));
}

function text(written: string): Value {
  if (written.startsWith(":")) return new Keyword(written.slice(1));
  return written.startsWith("#u") ? new Uuid(written.slice(2)) : written;
}

function isArray(written: Written): written is readonly Written[] {
  return Array.isArray(written);
}

function isOurs(
  written: object,
): written is Keyword | Uuid | Date | List | MapValue | SetValue | Tagged {
  return [Keyword, Uuid, Date, List, MapValue, SetValue, Tagged].some((one) =>
    written instanceof one
  );
}

/** The forms of a batch. */
export function forms(...written: readonly Written[]): readonly Form[] {
  return parseForms(value(written));
}

/** The forms of a batch's strings, as a server reads them. */
export function formsOf(txs: readonly string[]): readonly Form[] {
  return txs.flatMap((tx) => parseForms(decode(tx)));
}

/** What they come to as a transaction; `undefined` where they are refused. */
export function transacted(db: Db, ...written: readonly Written[]): TxReport | undefined {
  try {
    return transact(db, forms(...written));
  } catch (thrown) {
    if (thrown instanceof TransactError) return undefined;
    throw thrown;
  }
}

/** What attributes are, for `schemaOf`. */
export const REF = { ":db/valueType": ":db.type/ref" };
export const MANY = { ":db/cardinality": ":db.cardinality/many" };
export const IDENTITY = { ":db/unique": ":db.unique/identity" };

/** A schema: attribute → properties, written `{ name: {}, friend: { ":db/valueType": … } }`. */
export function schemaOf(attributes: Readonly<Record<string, Written>>): Schema {
  return Schema.decode(
    new MapValue(Object.entries(attributes).map(([a, map]) => [new Keyword(a), value(map)])),
  );
}

/** A fact, of the first transaction unless said otherwise. */
export function fact(e: number, a: string, v: Written, tx = TX0 + 1): Datom {
  return new Datom(e, a, value(v), tx);
}

/** `+1 :name "Ada"`, or with a minus in front for a retraction. */
export function show({ e, a, v, added }: Datom): string {
  return `${added ? "+" : "-"}${e} :${a} ${showValue(v)}`;
}

export function showValue(v: Value): string {
  if (typeof v === "string") return JSON.stringify(v);
  if (v instanceof Keyword) return `:${v.name}`;
  if (v instanceof Uuid) return `#u${v.text}`;
  return typeof v === "object" ? encode(v) : String(v);
}
