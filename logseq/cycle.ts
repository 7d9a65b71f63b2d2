/** Loops that a batch would close (datascript.md §5.3), and what a client is told of them. */

import { keywordOf } from "../datascript/datom.ts";
import type { Db } from "../datascript/db.ts";
import type { TxReport } from "../datascript/report.ts";
import { forEachItem } from "../datascript/source.ts";
import { MapValue, type Value } from "../datascript/value.ts";
import { EXTENDS, IDENT, lookupRef, PARENT, UUID } from "./attributes.ts";

/** Attributes over which nobody may come back to himself, in the order in which they are looked at. */
const ACYCLIC = [PARENT, EXTENDS] as const;

/**
 * What a client is told of a loop: `{:attr a, :server_values {[:block/uuid u] v, …}}` (protocol.md
 * §1.7), for each entity whose attribute the batch sets the value before it; `undefined` when the
 * batch closes none.
 */
export function cycleOf({ before, after, datoms }: TxReport): MapValue | undefined {
  for (const a of ACYCLIC) {
    const set = new Set(datoms.filter((datom) => datom.added && datom.a === a).map((d) => d.e));
    if (!forEachItem(set, (e) => isBelowItself(after, a, e)).includes(true)) continue;
    const values = [...set].flatMap((e) => {
      const uuid = after.value(e, UUID) ?? before.value(e, UUID);
      return uuid === undefined ? [] : [[lookupRef(uuid), serverValue(before, a, e)] as const];
    });
    return new MapValue([
      [keywordOf("attr"), keywordOf(a)],
      [keywordOf("server_values"), new MapValue(values)],
    ]);
  }
  return undefined;
}

/** Whether the way up from an entity, over all values of the attribute, comes back to it. */
function isBelowItself(db: Db, a: string, start: number): boolean {
  const seen = new Set<number>();
  const open = [start];
  for (let e = open.pop(); e !== undefined; e = open.pop()) {
    for (const { v } of db.ofEntity(e, a)) {
      if (v === start) return true;
      if (typeof v !== "number" || seen.has(v)) continue;
      seen.add(v);
      open.push(v);
    }
  }
  return false;
}

/** A parent as its lookup ref, a class as its ident; several as a vector, none as nil. */
function serverValue(db: Db, a: string, e: number): Value {
  const values = db.ofEntity(e, a).map(({ v }): Value => {
    if (typeof v !== "number") return null;
    if (a === EXTENDS) return db.value(v, IDENT) ?? null;
    const uuid = db.value(v, UUID);
    return uuid === undefined ? null : lookupRef(uuid);
  });
  return values.length > 1 ? values : values[0] ?? null;
}
