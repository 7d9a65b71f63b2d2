/**
 * DataScript itself, as it is published for JavaScript: attributes are texts there, and keywords and
 * uuids as values too.
 */
import datascript from "datascript";
import { z } from "zod";
import type { Schema } from "../datascript/schema.ts";
import { decode, encode } from "../datascript/transit.ts";
import { isVector, Keyword, MapValue, sequence, Uuid, type Value } from "../datascript/value.ts";

/** Of its functions those that are called here. */
interface DataScript {
  init_db(datoms: readonly unknown[], schema: Readonly<Record<string, unknown>>): unknown;
  conn_from_db(db: unknown): unknown;
  transact(conn: unknown, forms: readonly unknown[]): { readonly tx_data: readonly unknown[] };
}

const api: DataScript = datascript;

const datomSchema = z.tuple([z.number(), z.instanceof(Keyword), z.custom<Value>(), z.number()]);

/** A graph in DataScript. */
export class DataScriptGraph {
  readonly #schema: Schema;
  readonly #db: unknown;

  /** @param datoms Transit of `[e a v tx]` of each */
  constructor(schema: Schema, datoms: readonly string[]) {
    this.#schema = schema;
    this.#db = api.init_db(
      datoms.map((line) => {
        const [e, a, v, tx] = datomSchema.parse(decode(line));
        return [e, a.name, plain(v), tx];
      }),
      schemaOf(schema),
    );
  }

  /** Its forms, of a transaction's text. */
  forms(tx: string): readonly unknown[] {
    return (sequence(decode(tx)) ?? []).map((form) => this.#form(form));
  }

  /** A connection to the graph as it was; `transact` answers how many datoms came of the forms. */
  connect(): { readonly transact: (forms: readonly unknown[]) => number } {
    const conn = api.conn_from_db(this.#db);
    return { transact: (forms) => api.transact(conn, forms).tx_data.length };
  }

  #form(form: Value): unknown {
    const [operation = null, e = null, a = null, v] = sequence(form) ?? [];
    if (!(a instanceof Keyword)) return [plain(operation), refOf(e)];
    const stated = v === undefined ? [] : [this.#schema.isRef(a.name) ? refOf(v) : plain(v)];
    return [plain(operation), refOf(e), a.name, ...stated];
  }
}

/** Attribute → what it is. */
function schemaOf(schema: Schema): Readonly<Record<string, unknown>> {
  const encoded = schema.encode();
  if (!(encoded instanceof MapValue)) throw new Error("Cannot read the schema");
  const attributes = encoded.entries.flatMap(([a, properties]) =>
    a instanceof Keyword && properties instanceof MapValue
      ? [[a.name, Object.fromEntries(properties.entries.map((pair) => pair.map(plain)))]]
      : []
  );
  return Object.fromEntries(attributes);
}

/** An entity as a form names it: by eid or tempid, by ident or by lookup ref. */
function refOf(value: Value): unknown {
  if (value instanceof Keyword) return ["db/ident", plain(value)];
  if (!isVector(value)) return value;
  const [a = null, v = null] = value;
  return [a instanceof Keyword ? a.name : a, plain(v)];
}

function plain(value: Value): unknown {
  if (value instanceof Keyword) return `:${value.name}`;
  if (value instanceof Uuid) return value.text;
  return value !== null && typeof value === "object" ? encode(value) : value;
}
