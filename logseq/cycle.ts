/** Loops that a batch would close (datascript.md §5.3), and what a client is told of them. */

import { keywordOf } from "../datascript/datom.ts";
import type { Db } from "../datascript/db.ts";
import type { TxReport } from "../datascript/report.ts";
import { forEachItem } from "../datascript/source.ts";
import { MapValue, type Value } from "../datascript/value.ts";
import { EXTENDS, IDENT, lookupRef, PARENT, UUID } from "./attributes.ts";
import { type Edges, isAnyOnLoop } from "./loops.ts";

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
    if (!isAnyOnLoop(set, edgesFrom(set, after, a))) continue;
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

/** All that the way up from some entities comes to, over all values of the attribute. */
function edgesFrom(starts: ReadonlySet<number>, db: Db, a: string): Edges {
  const edges = new Map<number, readonly number[]>();
  for (let open: readonly number[] = [...starts]; open.length > 0;) {
    for (const [e, to] of forEachItem(open, (e) => [e, othersOf(db, e, a)] as const)) {
      edges.set(e, to);
    }
    const next = new Set(open.flatMap((e) => edges.get(e) ?? []));
    open = [...next].filter((e) => !edges.has(e));
  }
  return edges;
}

function othersOf(db: Db, e: number, a: string): readonly number[] {
  return db.ofEntity(e, a).flatMap(({ v }) => typeof v === "number" ? [v] : []);
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
