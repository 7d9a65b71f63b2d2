/**
 * DataScript itself, as it is published for JavaScript. Attributes are texts there, and so are
 * keywords, uuids and collections where they are values.
 */
import datascript from "datascript";
import { Datom } from "../../datascript/datom.ts";
import { isLookupRef, reversed, type Tempid } from "../../datascript/forms.ts";
import type { Schema } from "../../datascript/schema.ts";
import { encode } from "../../datascript/transit.ts";
import {
  collection,
  isVector,
  Keyword,
  MapValue,
  sequence,
  Uuid,
  type Value,
} from "../../datascript/value.ts";

/** Of its functions those that are called here. */
interface Api {
  init_db(datoms: readonly unknown[], schema: Readonly<Record<string, unknown>>): unknown;
  conn_from_db(db: unknown): unknown;
  transact(conn: unknown, forms: readonly unknown[]): {
    /** A retraction has a negative `tx`. */
    readonly tx_data: readonly { e: number; a: string; v: string | number; tx: number }[];
    readonly tempids: Readonly<Record<string, number>>;
  };
}

const api: Api = datascript;
const CURRENT_TX = ":db/current-tx";

/** What came of a transaction there. */
export interface TheirReport {
  readonly datoms: readonly Datom[];
  readonly tempids: ReadonlyMap<Tempid, number>;
}

/** A connection, which answers reports; whatever it throws is a refusal. */
export type TheirConnection = (forms: readonly unknown[]) => TheirReport;

export class DataScriptDb {
  readonly #schema: Schema;
  readonly #db: unknown;

  constructor(schema: Schema, datoms: readonly Datom[]) {
    this.#schema = schema;
    this.#db = api.init_db(datoms.map(({ e, a, v, tx }) => [e, a, plain(v), tx]), plainOf(schema));
  }

  /** A connection to the database as it was given. */
  connect(): TheirConnection {
    const conn = api.conn_from_db(this.#db);
    return (forms) => {
      const { tx_data, tempids } = api.transact(conn, forms);
      const datoms = tx_data.map(({ e, a, v, tx }) => new Datom(e, a, v, Math.abs(tx), tx > 0));
      return { datoms, tempids: new Map(Object.entries(tempids).flatMap(tempidOf)) };
    };
  }

  /** A list of forms as it takes them. */
  formsOf(forms: Value): readonly unknown[] {
    return (sequence(forms) ?? []).map((form) =>
      form instanceof MapValue ? this.#map(form) : this.#form(sequence(form) ?? [])
    );
  }

  #form([operation = null, e = null, a = null, ...values]: readonly Value[]): unknown {
    if (!(a instanceof Keyword)) return [plain(operation), refOf(e)];
    return [plain(operation), refOf(e), a.name, ...values.map((v) => this.#value(a.name, v))];
  }

  #map(map: MapValue): unknown {
    return Object.fromEntries(map.entries.map(([a, v]) => {
      const name = a instanceof Keyword ? a.name : "";
      return name === "db/id" ? [":db/id", refOf(v)] : [name, this.#values(name, v)];
    }));
  }

  #values(a: string, value: Value): unknown {
    const many = reversed(a) !== undefined || this.#schema.isMany(a);
    if (!many || isLookupRef(value, this.#schema)) return this.#value(a, value);
    return collection(value)?.map((v) => this.#value(a, v)) ?? this.#value(a, value);
  }

  #value(a: string, value: Value): unknown {
    if (!this.#schema.isRef(reversed(a) ?? a)) return plain(value);
    return value instanceof MapValue ? this.#map(value) : refOf(value);
  }
}

/** Keys are texts there; new eids and the transaction are among them. */
function tempidOf([key, e]: [string, number]): [Tempid, number][] {
  if (key === CURRENT_TX || Number(key) > 0) return [];
  return [[Number(key) < 0 ? Number(key) : key, e]];
}

/** Attribute → what it is. */
function plainOf(schema: Schema): Readonly<Record<string, unknown>> {
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
  if (value instanceof Keyword) {
    const ident = plain(value);
    return ident === CURRENT_TX ? ident : ["db/ident", ident];
  }
  if (!isVector(value)) return value;
  const [a = null, v = null] = value;
  return [a instanceof Keyword ? a.name : a, plain(v)];
}

/** With its value as it is there. */
export function plainDatom({ e, a, v, tx, added }: Datom): Datom {
  return new Datom(e, a, plain(v), tx, added);
}

function plain(value: Value): string | number | boolean | null {
  if (value instanceof Keyword) return `:${value.name}`;
  if (value instanceof Uuid) return value.text;
  return value !== null && typeof value === "object" ? encode(value) : value;
}
