/** The naive model of a database: an array of facts. */
import assert from "node:assert/strict";
import { Datom } from "../../datascript/datom.ts";
import type { Db } from "../../datascript/db.ts";
import { compareDatoms, type Index, INDEXES } from "../../datascript/order.ts";
import type { Schema } from "../../datascript/schema.ts";
import { equal } from "../../datascript/value.ts";
import { show } from "./written.ts";

/** The facts after these datoms were applied, one after the other. */
export function applied(facts: readonly Datom[], datoms: readonly Datom[]): readonly Datom[] {
  return datoms.reduce((held, { e, a, v, tx, added }) => {
    const others = held.filter((other) => other.e !== e || other.a !== a || !equal(other.v, v));
    return added ? [...others, new Datom(e, a, v, tx)] : others;
  }, facts);
}

/** The facts that an index holds, in its order. */
export function inIndex(
  index: Index,
  facts: readonly Datom[],
  schema: Schema,
): readonly Datom[] {
  return facts.filter(({ a }) => index !== "avet" || schema.isIndexed(a))
    .toSorted(compareDatoms[index]);
}

/** All three indexes hold these facts and no others, of the same transactions, in order. */
export function assertHolds(db: Db, facts: readonly Datom[]): void {
  for (const index of INDEXES) {
    const told = (datoms: readonly Datom[]): readonly string[] =>
      datoms.map((datom) => `${show(datom)} ${datom.tx}`);
    assert.deepEqual(
      told(db.everything(index)),
      told(inIndex(index, facts, db.schema)),
      index,
    );
  }
}

/** The first few places at which two lists of datoms differ; for lists too long for an assertion. */
export function differences(
  actual: readonly Datom[],
  expected: readonly Datom[],
): readonly string[] {
  const found: string[] = [];
  for (let i = 0; i < Math.max(actual.length, expected.length) && found.length < 5; i++) {
    const [x, y] = [actual[i], expected[i]];
    if (x !== undefined && y !== undefined && isSame(x, y)) continue;
    found.push(`at ${i}: ${x && show(x)} ${x?.tx}, expected ${y && show(y)} ${y?.tx}`);
  }
  return found;
}

function isSame(x: Datom, y: Datom): boolean {
  return x.e === y.e && x.a === y.a && x.tx === y.tx && x.added === y.added && equal(x.v, y.v);
}
