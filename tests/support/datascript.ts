/**
 * DataScript itself, as it is published for JavaScript. Attributes are texts there, and so are
 * keywords, uuids and collections where they are values.
 */
import datascript from "datascript";
import { Datom } from "../../datascript/datom.ts";
import type { Db } from "../../datascript/db.ts";
import { isLookupRef, straightOf, type Tempid } from "../../datascript/forms.ts";
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
import { differencesOfMeaning } from "./blocks.ts";
import { storedDb } from "./memory_db.ts";

/** A datom there; a retraction has a negative `tx`. */
interface TheirDatom {
  readonly e: number;
  readonly a: string;
  readonly v: string | number | boolean;
  readonly tx: number;
}

/** Of its functions those that are called here. */
interface Api {
  init_db(datoms: readonly unknown[], schema: Readonly<Record<string, unknown>>): unknown;
  conn_from_db(db: unknown): unknown;
  db(conn: unknown): unknown;
  datoms(db: unknown, index: string): readonly TheirDatom[];
  transact(conn: unknown, forms: readonly unknown[]): {
    readonly tx_data: readonly TheirDatom[];
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

/** A database that changes. */
export interface TheirConnection {
  /** Whatever it throws is a refusal, and changes nothing. */
  readonly transact: (forms: readonly unknown[]) => TheirReport;
  /** All its datoms. */
  readonly everything: () => readonly Datom[];
}

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
    return {
      transact: (forms) => {
        const { tx_data, tempids } = api.transact(conn, forms);
        const named = new Map(Object.entries(tempids).flatMap(tempidOf));
        return { datoms: tx_data.map(datomOf), tempids: named };
      },
      everything: () => api.datoms(api.db(conn), ":eavt").map(datomOf),
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
    const many = straightOf(a) !== undefined || this.#schema.isMany(a);
    if (!many || isLookupRef(value, this.#schema)) return this.#value(a, value);
    return collection(value)?.map((v) => this.#value(a, v)) ?? this.#value(a, value);
  }

  #value(a: string, value: Value): unknown {
    if (!this.#schema.isRef(straightOf(a) ?? a)) return plain(value);
    return value instanceof MapValue ? this.#map(value) : refOf(value);
  }
}

function datomOf({ e, a, v, tx }: TheirDatom): Datom {
  return new Datom(e, a, v, Math.abs(tx), tx > 0);
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

/** What a database there means otherwise than ours: see differencesOfMeaning. */
export function differencesFromOurs(theirs: TheirConnection, ours: Db): readonly string[] {
  const plainDb = (datoms: readonly Datom[]): Db =>
    storedDb(ours.schema, datoms.map(({ e, a, v, tx }) => new Datom(e, a, plain(v), tx)));
  return differencesOfMeaning(plainDb(theirs.everything()), plainDb(ours.everything("eavt")));
}

function plain(value: Value): string | number | boolean | null {
  if (value instanceof Keyword) return `:${value.name}`;
  if (value instanceof Uuid) return value.text;
  return value !== null && typeof value === "object" ? encode(value) : value;
}
