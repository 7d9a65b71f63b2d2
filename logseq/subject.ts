/** Whom forms are about, as the database before them tells. */

import type { Db } from "../datascript/db.ts";
import type { EntityRef } from "../datascript/forms.ts";
import { encode } from "../datascript/transit.ts";
import { Keyword } from "../datascript/value.ts";
import { IDENT } from "./attributes.ts";

/**
 * The eid that a ref names; `undefined` where nothing has that name yet, a tempid among them.
 *
 * @throws {NodeMissing} load the node and call again
 */
export function eidOf(db: Db, ref: EntityRef): number | undefined {
  switch (ref.kind) {
    case "eid":
      return ref.eid;
    case "ident":
      return db.holder(IDENT, new Keyword(ref.name));
    case "lookup":
      // A ref as the value would have to be looked up first; no client names a block by one.
      if (ref.v === null || !db.schema.isUnique(ref.a) || db.schema.isRef(ref.a)) return undefined;
      return db.holder(ref.a, ref.v);
    case "tempid":
    case "tx":
      return undefined;
    default:
      return ref satisfies never;
  }
}

/** The same for two refs that name one entity, also one that is not there or that forms make. */
export function subjectOf(db: Db, ref: EntityRef): number | string | object {
  const e = eidOf(db, ref);
  if (e !== undefined) return e;
  if (ref.kind === "tempid") return typeof ref.id === "object" ? ref.id : `tempid ${ref.id}`;
  return ref.kind === "lookup" ? `${ref.a} ${encode(ref.v)}` : JSON.stringify(ref);
}
