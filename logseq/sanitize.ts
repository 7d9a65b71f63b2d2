/**
 * What is taken out of an entry of today's clients, and what is put into it, before it is transacted
 * (upstream.md §1.9): a graph's own matters stay on the device, and a deleted block takes all below
 * with it, also what another device has put there since.
 */

import type { Db } from "../datascript/db.ts";
import type { EntityRef, Form } from "../datascript/forms.ts";
import { forEachItem } from "../datascript/source.ts";
import { Keyword, type Value } from "../datascript/value.ts";
import { IDENT, NAME, TITLE } from "./attributes.ts";
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
  const settled = withoutUndone(db, isDelete(op) ? withoutOthers(db, shared) : shared);
  const spared = isDelete(op) ? new Set<number>() : touchedBy(db, settled);
  const below = descendantsOf(db, deletedBy(db, settled), spared);
  return [
    ...settled,
    ...below.map((eid) => ({ op: "retractEntity", e: { kind: "eid", eid } }) as const),
  ];
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
  if (form.op === "add") return form.a === IDENT && isLocal(form.v);
  return form.op === "entity" && form.attributes.some(([a, v]) => a === IDENT && isLocal(v));
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
 * is a text which is encrypted as before, and it would be gone.
 */
function withoutUndone(db: Db, forms: readonly Form[]): readonly Form[] {
  const asserted = new Map<string, Set<ReturnType<typeof subjectOf>>>();
  for (const form of forms) {
    const text = form.op === "add" ? textOf(form) : undefined;
    if (text === undefined) continue;
    const subjects = asserted.get(text) ?? new Set();
    asserted.set(text, subjects.add(subjectOf(db, form.e)));
  }
  return keptOf(forms, (form) => {
    const text = form.op === "retract" ? textOf(form) : undefined;
    const subjects = text === undefined ? undefined : asserted.get(text);
    return !subjects?.has(subjectOf(db, form.e));
  });
}

/** A title or name with its attribute; `undefined` for any other value. */
function textOf(
  { a, v }: { readonly a: string; readonly v: Value | undefined },
): string | undefined {
  return (a === TITLE || a === NAME) && typeof v === "string" ? `${a} ${v}` : undefined;
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

function knownOf(db: Db, refs: readonly EntityRef[]): ReadonlySet<number> {
  return new Set(forEachItem(refs, (ref) => eidOf(db, ref)).filter((e) => e !== undefined));
}

/** `filter` that names all nodes that are missing for it at once. */
function keptOf(forms: readonly Form[], isKept: (form: Form) => boolean): readonly Form[] {
  return forEachItem(forms, (form) => isKept(form) ? [form] : []).flat();
}
