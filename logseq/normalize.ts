/**
 * What a transaction did, as the log entry that every device can follow (datascript.md §5.4): eids
 * are this database's own, so entities are named by uuid or ident, and new ones by `-eid`.
 */

import { type Datom, keywordOf } from "../datascript/datom.ts";
import type { Db } from "../datascript/db.ts";
import type { TxReport } from "../datascript/report.ts";
import { forEachItem } from "../datascript/source.ts";
import { encode } from "../datascript/transit.ts";
import { equal, Keyword, List, type Value } from "../datascript/value.ts";
import { CARDINALITY, IDENT, lookupRef, PARENT, UUID, VALUE_TYPE } from "./attributes.ts";
import { descendantsOf } from "./descendants.ts";

/** These come first, since a device must know what an attribute is before it meets its values. */
const FIRST: readonly string[] = [IDENT, VALUE_TYPE, CARDINALITY];

/**
 * The log entry of a batch, for the seed's clients alone: a list of `:db/add`, `:db/retract` and
 * `:db.fn/retractEntity` forms, in the order of the recorded logs (datascript.md §5.4). So a ref may
 * be retracted after its entity, which this engine takes for nothing, and DataScript refuses. Two kinds
 * of forms come before all others. First what would be said with an attribute after its end: that is no
 * ref any more by then, and whoever had a value would keep its eid as a number. Then the ends of entities
 * that are made anew: else what is told of the new one would be taken for the old one's, and go with it.
 */
export function normalize(report: TxReport): List {
  const { items, stories } = toldBy(report, new Names(report.before));
  if (!items.some(isEnd)) return new List(formsOf(items));
  const anew = madeAnew(items, stories);
  const isEndOfAnew = (item: Item): boolean => isEnd(item) && anew.has(item.e);
  const goneAt = goneAttributes(stories);
  const isWithGoneAttribute = withGoneAttribute(goneAt);
  const isTooLate = (item: Item): boolean => {
    const gone = goneAt.get(item.a);
    return gone !== undefined && (item.e > gone || anew.has(gone)) && isWithGoneAttribute(item);
  };
  return new List([
    ...formsOf(items.filter(isTooLate)),
    ...formsOf(items.filter(isEndOfAnew)),
    ...formsOf(items.filter((item) => !isTooLate(item) && !isEndOfAnew(item))),
  ]);
}

/** The entities that go, of which another one takes the uuid or ident. */
function madeAnew(items: readonly Item[], stories: Stories): ReadonlySet<number> {
  const made = new Set(items.flatMap(({ a, form: [op, , , v = null] }) => {
    if (op !== ADD || a !== UUID && a !== IDENT) return [];
    return encode(a === UUID ? lookupRef(v) : v);
  }));
  const isMade = (name: Value | undefined): boolean => name !== undefined && made.has(encode(name));
  return new Set(
    [...stories].flatMap(([e, story]) =>
      story.gone && (isMade(story.name) || isMade(story.ident)) ? [e] : []
    ),
  );
}

/**
 * The same for a graph that today's clients write to, in an order in which DataScript finds whomever
 * a form names: else the device that follows refuses the entry. First comes what is said with an
 * entity that goes, as value or as attribute, and that it goes, which Logseq's own server tells last;
 * then other uuids of entities that had one, or else idents, by which they are called from then on.
 */
export function normalizeForToday(report: TxReport): List {
  const { before } = report;
  const renames = renamesBy(report);
  const datoms = report.datoms.filter(({ e, a }) => renames.names.get(e)?.a !== a);
  const others = { ...report, datoms };
  const { items, stories } = toldBy(others, new Names(before));
  const isWithGoneAttribute = withGoneAttribute(goneAttributes(stories));
  const isOfGone = (item: Item): boolean =>
    isWithGoneAttribute(item) ||
    item.other !== undefined && stories.get(item.other)?.gone === true;
  const isEarly = (item: Item): boolean => isEnd(item) || isOfGone(item);
  // That somebody goes whom no device has met is left out: who comes after him under the same uuid
  // would be taken for him, and dropped.
  const isKnownEnd = (item: Item): boolean => isEnd(item) && before.ofEntity(item.e).length > 0;
  const names = new Names(before, renames.names);
  const late = renames.names.size === 0 ? items : toldBy(others, names).items;
  return new List([
    ...formsOf(items.filter(isOfGone)),
    ...formsOf(items.filter(isKnownEnd)),
    ...renames.forms,
    ...formsOf(late.filter((item) => !isEarly(item))),
    ...keptForms(others, names, stories, items),
  ]);
}

/**
 * Of what was below an entity that goes, and stays without a word about it, its parent is told again.
 * A device of today takes all that was below such an entity away with it, but for what the entry
 * speaks of: else a block moved out from there would come without what is below it.
 */
function keptForms(
  { before, after }: TxReport,
  names: Names,
  stories: Stories,
  items: readonly Item[],
): readonly (readonly Value[])[] {
  const gone = [...stories].flatMap(([e, story]) => story.gone ? [e] : []);
  if (gone.length === 0) return [];
  const told = new Set(items.map(({ e }) => e));
  const silent = descendantsOf(before, gone, () => false).filter((e) => !told.has(e));
  return forEachItem(silent, (e) => {
    const parent = after.value(e, PARENT);
    return typeof parent === "number"
      ? [[ADD, names.of(e), keywordOf(PARENT), names.of(parent)]]
      : [];
  }).flat();
}

/** What a transaction tells of each entity. */
function toldBy(
  report: TxReport,
  names: Names,
): { readonly items: readonly Item[]; readonly stories: Stories } {
  const groups = [...Map.groupBy(report.datoms, (datom) => datom.e)].sort(([x], [y]) => x - y);
  const stories = new Map(
    forEachItem(groups, ([e, datoms]) => [e, storyOf(names, report, e, datoms)] as const),
  );
  const items = forEachItem(stories, ([e, story]) => entityForms(names, report, stories, e, story))
    .flat();
  return { items, stories };
}

/** Entities that are called otherwise than before. */
interface Renames {
  readonly names: ReadonlyMap<number, Rename>;
  /** What says so. */
  readonly forms: readonly (readonly Value[])[];
}

/** How an entity is called now, and by which attribute. */
interface Rename {
  readonly a: string;
  readonly name: Value;
}

/** One by one as they came, as one may take the uuid that another has left, on its way to a third. */
function renamesBy(report: TxReport): Renames {
  const named = report.datoms.filter(({ a, added }) => added && (a === UUID || a === IDENT));
  const names = new Map<number, Rename>();
  const forms: (readonly Value[])[] = [];
  for (
    const [{ e, a, v }, old] of forEachItem(named, (one) => [one, oldOf(report, one)] as const)
  ) {
    const known = names.get(e);
    if (old === undefined || known === undefined && equal(old, v)) continue;
    const nameOf = (value: Value): Value => a === UUID ? lookupRef(value) : value;
    forms.push([ADD, known?.name ?? nameOf(old), keywordOf(a), v]);
    names.set(e, { a, name: nameOf(v) });
  }
  return { names, forms };
}

/** By which an entity was called that still has a name of this kind. */
function oldOf({ before, after }: TxReport, { e, a }: Datom): Value | undefined {
  const hasOther = a === IDENT && before.value(e, UUID) !== undefined;
  return hasOther || after.value(e, a) === undefined ? undefined : before.value(e, a);
}

/** Whether it is said with an attribute that goes. */
function withGoneAttribute(attributes: ReadonlyMap<string, number>): (item: Item) => boolean {
  // What was asserted after the attribute went is a value like any other, whatever it looks like.
  return ({ a, form, other }) => attributes.has(a) && (other !== undefined || form[0] === RETRACT);
}

/** What the entities that go are called as attributes, and which they are. */
function goneAttributes(stories: Stories): ReadonlyMap<string, number> {
  return new Map(
    [...stories].flatMap(([e, story]) =>
      story.gone && story.ident instanceof Keyword ? [[story.ident.name, e] as const] : []
    ),
  );
}

/** The forms, those of FIRST before the others. */
function formsOf(items: readonly Item[]): readonly (readonly Value[])[] {
  return items.toSorted((x, y) => rank(x.a) - rank(y.a)).map(({ form }) => form);
}

function rank(a: string): number {
  const place = FIRST.indexOf(a);
  return place < 0 ? FIRST.length : place;
}

/** Whether it says that an entity goes. */
function isEnd({ form: [op] }: Item): boolean {
  return op === RETRACT_ENTITY;
}

interface Item {
  /** The entity that it is about. */
  readonly e: number;
  /** The attribute, which may have no name at all; of a form about the whole entity it means nothing. */
  readonly a: string;
  readonly form: readonly Value[];
  /** The entity that is its value. */
  readonly other?: number;
}

/** What is told of an entity: that it is gone, with the uuid and ident it had, or what changed. */
type Story =
  | { readonly gone: true; readonly name: Value; readonly ident: Value | undefined }
  | { readonly gone: false; readonly datoms: readonly Datom[] };
type Stories = ReadonlyMap<number, Story>;

function storyOf(
  names: Names,
  { before, after }: TxReport,
  e: number,
  datoms: readonly Datom[],
): Story {
  const gone = datoms.findLast((datom) => datom.a === UUID && !datom.added);
  if (gone !== undefined && after.value(e, UUID) === undefined) {
    return {
      gone: true,
      name: lookupRef(before.value(e, UUID) ?? gone.v),
      ident: before.value(e, IDENT),
    };
  }
  const ident = before.value(e, IDENT);
  if (ident !== undefined && names.of(e) === ident && after.ofEntity(e).length === 0) {
    return { gone: true, name: ident, ident };
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
  stories: Stories,
  e: number,
  story: Story,
): readonly Item[] {
  if (story.gone) return [{ e, a: "", form: [RETRACT_ENTITY, story.name] }];
  return story.datoms.flatMap(({ a, v, added }) => {
    const op = added ? ADD : RETRACT;
    const isRef = before.schema.isRef(a) || after.schema.isRef(a);
    if (!isRef || typeof v !== "number") {
      return [{ e, a, form: [op, names.of(e), keywordOf(a), v] }];
    }
    // A ref to whom nobody finds any more refuses the whole entry on every device.
    const other = stories.get(v);
    if (added && other?.gone) return [];
    const name = names.of(v);
    const isKnown = name !== -v || (other?.gone === false && other.datoms.length > 0);
    return isKnown ? [{ e, a, form: [op, names.of(e), keywordOf(a), name], other: v }] : [];
  });
}

/** How entities are named on every device. */
class Names {
  readonly #before: Db;
  readonly #known = new Map<number, Value>();

  /** @param renames of which devices have heard before anything else */
  constructor(before: Db, renames: ReadonlyMap<number, Rename> = new Map()) {
    this.#before = before;
    for (const [e, { name }] of renames) this.#known.set(e, name);
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
