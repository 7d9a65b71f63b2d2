/**
 * What is taken out of an entry of today's clients, and what is put into it, before it is transacted
 * (upstream.md §1.9): a graph's own matters stay on the device, and a deleted block takes all below
 * with it, also what another device has put there since. What the entry itself moves away from there
 * stays: a block that is merged into the one before it leaves its children to it, and is deleted. So
 * do pages below a page: Logseq deletes a page alone, with its blocks.
 */

import type { Db } from "../datascript/db.ts";
import { TransactError } from "../datascript/errors.ts";
import { type EntityRef, type Form, parseEntityRef } from "../datascript/forms.ts";
import { forEachItem } from "../datascript/source.ts";
import { Keyword, Numbering, type Value } from "../datascript/value.ts";
import { isEncrypted } from "./checksum.ts";
import { IDENT, NAME, PARENT, TITLE, VALUE_TYPE } from "./attributes.ts";
import { descendantsOf } from "./descendants.ts";
import { LOCAL_ENTITIES, RETIRED } from "./local_only.ts";
import { isDelete } from "./outliner_op.ts";
import { eidOf, subjectOf } from "./subject.ts";

/**
 * The forms of one entry as they are to be transacted.
 *
 * @param op the entry's outliner op
 * @throws {NodeMissing} load the node and call again
 */
export function sanitize(
  db: Db,
  forms: readonly Form[],
  op: string | undefined,
): readonly Form[] {
  const shared = withoutLocal(db, forms.flatMap(withoutRetired));
  const settled = withTextsSettled(db, isDelete(op) ? withoutOthers(db, shared) : shared);
  const touched = isDelete(op) ? new Set<number>() : touchedBy(db, settled);
  return withWholeEnds(db, settled, touched);
}

/**
 * The forms with all that the ends of entities in them bring with them, in an order in which they do.
 *
 * @param spared stay, whatever they are below
 * @throws {NodeMissing} load the node and call again
 */
export function withWholeEnds(
  db: Db,
  forms: readonly Form[],
  spared: ReadonlySet<number> = new Set(),
): readonly Form[] {
  return attributesLast(db, withAllBelow(db, forms, spared));
}

/**
 * With the end of all below the entities that go, but for pages, what the forms move away, and the
 * spared ones.
 */
function withAllBelow(
  db: Db,
  forms: readonly Form[],
  spared: ReadonlySet<number>,
): readonly Form[] {
  const deleted = deletedBy(db, forms);
  if (deleted.size === 0) return forms;
  const isSpared = (e: number): boolean => spared.has(e) || db.value(e, NAME) !== undefined;
  const below = descendantsOf(db, deleted, isSpared, movedBy(db, forms));
  const ends = below.map((eid) => ({ op: "retractEntity", e: { kind: "eid", eid } }) as const);
  return [...forms, ...ends];
}

/**
 * Attributes go last, as one that is gone is no ref any more: a retraction of it, or the end of its
 * value, would find nothing, and who had the value keep its eid as a number. Not where the entry makes
 * it anew.
 */
function attributesLast(db: Db, forms: readonly Form[]): readonly Form[] {
  const ends = new Set<Form>(forms.filter(({ op }) => op === "retractEntity"));
  if (ends.size === 0) return forms;
  // Compared one by one, 10,000 attributes that go while as many are made took minutes.
  const numbering = new Numbering();
  const made = new Set(forms.flatMap(identsIn).map((ident) => numbering.of(ident)));
  const isAttribute = ({ e }: Form): boolean => {
    const eid = eidOf(db, e);
    if (eid === undefined || db.value(eid, VALUE_TYPE) === undefined) return false;
    const ident = db.value(eid, IDENT);
    return ident !== undefined && !made.has(numbering.of(ident));
  };
  const last = new Set(forEachItem(ends, (form) => isAttribute(form) ? [form] : []).flat());
  return [...forms.filter((form) => !last.has(form)), ...last];
}

/** A map of which nothing is left says nothing, not even that there is such an entity. */
function withoutRetired(form: Form): readonly Form[] {
  switch (form.op) {
    case "add":
    case "retract":
    case "cas":
      return RETIRED.has(form.a) ? [] : [form];
    case "retractEntity":
      return [form];
    case "entity": {
      const attributes = form.attributes.filter(([a]) => !RETIRED.has(a));
      if (attributes.length === form.attributes.length) return [form];
      return attributes.length === 0 ? [] : [{ ...form, attributes }];
    }
    default:
      return form satisfies never;
  }
}

/** Without the forms about an entity of the device's own, whatever they call it. */
function withoutLocal(db: Db, forms: readonly Form[]): readonly Form[] {
  const tempids = new Set(
    forms.flatMap((form) => form.e.kind === "tempid" && makesLocal(form) ? [form.e.id] : []),
  );
  return keptOf(forms, (form) => {
    const { e } = form;
    const local = e.kind === "tempid" ? tempids.has(e.id) : isLocalEntity(db, e);
    return !local && !makesLocal(form);
  });
}

/** Whether a form gives its entity the ident of one of the device's own. */
function makesLocal(form: Form): boolean {
  return identsIn(form).some(isLocal);
}

/** What a form says that its entity is called. */
function identsIn(form: Form): readonly Value[] {
  if (form.op === "add") return form.a === IDENT ? [form.v] : [];
  return form.op === "entity" ? form.attributes.flatMap(([a, v]) => a === IDENT ? [v] : []) : [];
}

function isLocalEntity(db: Db, ref: EntityRef): boolean {
  if (ref.kind === "ident") return LOCAL_ENTITIES.has(ref.name);
  if (ref.kind === "lookup" && ref.a === IDENT) return isLocal(ref.v);
  const e = eidOf(db, ref);
  return e !== undefined && isLocal(db.value(e, IDENT));
}

function isLocal(ident: Value | undefined): boolean {
  return ident instanceof Keyword && LOCAL_ENTITIES.has(ident.name);
}

/** Without what else is said of the entities that go, or are gone. */
function withoutOthers(db: Db, forms: readonly Form[]): readonly Form[] {
  const refs = forms.flatMap((form) => form.op === "retractEntity" ? [form.e] : []);
  const deleted = new Set(forEachItem(refs, (ref) => subjectOf(db, ref)));
  return keptOf(
    forms,
    (form) => form.op === "retractEntity" || !deleted.has(subjectOf(db, form.e)),
  );
}

/**
 * Without the retractions of a title or name that the same entry asserts: of an encrypted graph that
 * is a text which is encrypted as before, and it would be gone. There a text that goes alone is another
 * than the graph has, as each encryption makes a new one: it goes whatever it is.
 */
function withTextsSettled(db: Db, forms: readonly Form[]): readonly Form[] {
  if (!forms.some((form) => form.op === "retract" && isText(form))) return forms;
  const encrypted = isEncrypted(db);
  const textOf = ({ a, v }: Fact): string => encrypted ? a : `${a} ${v}`;
  const asserted = new Map<string, Set<ReturnType<typeof subjectOf>>>();
  for (const form of forms) {
    if (form.op !== "add" || !isText(form)) continue;
    const text = textOf(form);
    const subjects = asserted.get(text) ?? new Set();
    asserted.set(text, subjects.add(subjectOf(db, form.e)));
  }
  return forEachItem(forms, (form): readonly Form[] => {
    if (form.op !== "retract" || !isText(form)) return [form];
    if (asserted.get(textOf(form))?.has(subjectOf(db, form.e))) return [];
    return [encrypted ? { ...form, v: undefined } : form];
  }).flat();
}

type Fact = { readonly a: string; readonly v: Value | undefined };

/** Whether it is a title or a name. */
function isText({ a, v }: Fact): boolean {
  return (a === TITLE || a === NAME) && typeof v === "string";
}

/** The entities that are there and go. */
function deletedBy(db: Db, forms: readonly Form[]): ReadonlySet<number> {
  const refs = forms.flatMap((form) => form.op === "retractEntity" ? [form.e] : []);
  return knownOf(db, refs);
}

/** The entities that something else is said of than that they go. */
function touchedBy(db: Db, forms: readonly Form[]): ReadonlySet<number> {
  const refs = forms.flatMap((form) => form.op === "retractEntity" ? [] : [form.e]);
  return knownOf(db, refs);
}

/** The entities that get a parent, or lose theirs, and whom they get: the last that is said of each. */
function movedBy(db: Db, forms: readonly Form[]): ReadonlyMap<number, number | undefined> {
  const moves = forEachItem(forms, (form) => {
    if (form.op === "retract" && form.a === PARENT) {
      const freed = eidOf(db, form.e);
      return freed === undefined ? [] : [[freed, undefined] as const];
    }
    const parent = parentIn(form);
    const e = parent === undefined ? undefined : eidOf(db, form.e);
    return e === undefined || parent === undefined ? [] : [[e, parentOf(db, parent)] as const];
  });
  return new Map(moves.flat());
}

function parentIn(form: Form): Value | undefined {
  switch (form.op) {
    case "add":
    case "cas":
      return form.a === PARENT ? form.v : undefined;
    case "entity":
      return form.attributes.findLast(([a]) => a === PARENT)?.[1];
    case "retract":
    case "retractEntity":
      return undefined;
    default:
      return form satisfies never;
  }
}

function parentOf(db: Db, v: Value): number | undefined {
  try {
    return eidOf(db, parseEntityRef(v));
  } catch (thrown) {
    // A map, or what names nobody: transact tells.
    if (thrown instanceof TransactError) return undefined;
    throw thrown;
  }
}

function knownOf(db: Db, refs: readonly EntityRef[]): ReadonlySet<number> {
  return new Set(forEachItem(refs, (ref) => eidOf(db, ref)).filter((e) => e !== undefined));
}

/** `filter` that names all nodes that are missing for it at once. */
function keptOf(forms: readonly Form[], isKept: (form: Form) => boolean): readonly Form[] {
  return forEachItem(forms, (form) => isKept(form) ? [form] : []).flat();
}
