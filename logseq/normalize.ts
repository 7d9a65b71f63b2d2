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
  const stories = new Map(
    forEachItem(groups, ([e, datoms]) => [e, storyOf(names, report, e, datoms)] as const),
  );
  const items = forEachItem(stories, ([e, story]) => entityForms(names, report, stories, e, story))
    .flat();
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

/** What is told of an entity: that it is gone, with the uuid it had, or what changed. */
type Story =
  | { readonly gone: true; readonly uuid: Value }
  | { readonly gone: false; readonly datoms: readonly Datom[] };

function storyOf(
  names: Names,
  { before, after }: TxReport,
  e: number,
  datoms: readonly Datom[],
): Story {
  const gone = datoms.findLast((datom) => datom.a === UUID && !datom.added);
  if (gone !== undefined && after.value(e, UUID) === undefined) {
    return { gone: true, uuid: before.value(e, UUID) ?? gone.v };
  }
  if (names.of(e) !== -e) return { gone: false, datoms };
  // A new entity has a tempid, and DataScript takes a tempid in assertions only: what the batch took
  // back must not be asserted, unless what is asserted after it replaces it.
  const stands = ({ a, v, added }: Datom): boolean =>
    added && after.ofEntity(e, a, after.schema.isMany(a) ? v : undefined).length > 0;
  return { gone: false, datoms: datoms.filter(stands) };
}

function entityForms(
  names: Names,
  { before, after }: TxReport,
  stories: ReadonlyMap<number, Story>,
  e: number,
  story: Story,
): readonly Item[] {
  if (story.gone) return [{ a: "", form: [RETRACT_ENTITY, lookupRef(story.uuid)] }];
  return story.datoms.flatMap(({ a, v, added }) => {
    const op = added ? ADD : RETRACT;
    const isRef = before.schema.isRef(a) || after.schema.isRef(a);
    if (!isRef || typeof v !== "number") return [{ a, form: [op, names.of(e), keywordOf(a), v] }];
    // A ref to whom nobody finds any more refuses the whole entry on every device.
    const other = stories.get(v);
    if (added && other?.gone) return [];
    const name = names.of(v);
    const isKnown = name !== -v || (other?.gone === false && other.datoms.length > 0);
    return isKnown ? [{ a, form: [op, names.of(e), keywordOf(a), name] }] : [];
  });
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
}

const ADD = keywordOf("db/add");
const RETRACT = keywordOf("db/retract");
const RETRACT_ENTITY = keywordOf("db.fn/retractEntity");
