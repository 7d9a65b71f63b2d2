/**
 * What a transaction did, as the log entry that every device can follow (datascript.md §5.4): eids
 * are this database's own, so entities are named by uuid or ident, and new ones by `-eid`.
 */

import { type Datom, keywordOf } from "../datascript/datom.ts";
import type { Db } from "../datascript/db.ts";
import type { TxReport } from "../datascript/report.ts";
import { forEachItem } from "../datascript/source.ts";
import { List, type Value } from "../datascript/value.ts";
import { CARDINALITY, IDENT, lookupRef, UUID, VALUE_TYPE } from "./attributes.ts";

/** These come first, since a device must know what an attribute is before it meets its values. */
const FIRST: readonly string[] = [IDENT, VALUE_TYPE, CARDINALITY];

/** The log entry: a list of `:db/add`, `:db/retract` and `:db.fn/retractEntity` forms. */
export function normalize(report: TxReport): List {
  const names = new Names(report.before);
  const groups = [...Map.groupBy(report.datoms, (datom) => datom.e)].sort(([x], [y]) => x - y);
  const items = forEachItem(groups, ([e, datoms]) => entityForms(names, report, e, datoms)).flat();
  return new List(items.sort((x, y) => rank(x.a) - rank(y.a)).map((item) => item.form));
}

function rank(a: string): number {
  const place = FIRST.indexOf(a);
  return place < 0 ? FIRST.length : place;
}

interface Item {
  /** The attribute, empty for a form about the whole entity. */
  readonly a: string;
  readonly form: readonly Value[];
}

function entityForms(
  names: Names,
  { before, after }: TxReport,
  e: number,
  datoms: readonly Datom[],
): readonly Item[] {
  const gone = datoms.findLast((datom) => datom.a === UUID && !datom.added);
  if (gone !== undefined && after.value(e, UUID) === undefined) {
    return [{ a: "", form: [RETRACT_ENTITY, lookupRef(gone.v)] }];
  }
  const name = names.of(e);
  // A new entity has a tempid, and DataScript takes a tempid in assertions only: what the batch took
  // back must not be asserted, unless what is asserted after it replaces it.
  const stands = ({ a, v, added }: Datom): boolean =>
    added && after.ofEntity(e, a, after.schema.isMany(a) ? v : undefined).length > 0;
  const told = name === -e ? datoms.filter(stands) : datoms;
  return told.map(({ a, v, added }) => ({
    a,
    form: [
      added ? ADD : RETRACT,
      name,
      keywordOf(a),
      before.schema.isRef(a) || after.schema.isRef(a) ? names.ofValue(v) : v,
    ],
  }));
}

/** How entities are named on every device. */
class Names {
  readonly #before: Db;
  readonly #known = new Map<number, Value>();

  constructor(before: Db) {
    this.#before = before;
  }

  of(e: number): Value {
    const known = this.#known.get(e);
    if (known !== undefined) return known;
    const uuid = this.#before.value(e, UUID);
    const name = uuid === undefined ? this.#before.value(e, IDENT) ?? -e : lookupRef(uuid);
    this.#known.set(e, name);
    return name;
  }

  ofValue(v: Value): Value {
    return typeof v === "number" ? this.of(v) : v;
  }
}

const ADD = keywordOf("db/add");
const RETRACT = keywordOf("db/retract");
const RETRACT_ENTITY = keywordOf("db.fn/retractEntity");
