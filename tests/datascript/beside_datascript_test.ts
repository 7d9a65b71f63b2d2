/** The engine beside DataScript itself. */
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { type Datom, TX0 } from "../../datascript/datom.ts";
import type { Tempid } from "../../datascript/forms.ts";
import { BASE, SCHEMA, TEMPIDS, transactions } from "../support/arbitrary_forms.ts";
import { DataScriptDb, type TheirConnection } from "../support/datascript.ts";
import { storedDb } from "../support/memory_db.ts";
import { show, transacted, value } from "../support/written.ts";

Deno.test("A transaction comes to the datoms and eids that it comes to in DataScript itself", () => {
  const datascript = new DataScriptDb(SCHEMA, BASE);
  const history = fc.boolean().chain((withIdentities) =>
    fc.array(transactions(withIdentities), { minLength: 1, maxLength: 4, size: "max" })
  );
  const count = { agreed: 0, refused: 0, passedOver: 0 };
  fc.assert(
    fc.property(history, (transactions) => {
      const device = datascript.connect();
      let db = storedDb(SCHEMA, BASE);
      for (const written of transactions) {
        const ours = transacted(db, ...written);
        const theirs = unlessRefused(device, datascript.formsOf(value(written)));
        if (!isDeepStrictEqual(told(ours), told(theirs)) && beganAnew(db.maxEid, ours, theirs)) {
          count.passedOver++;
          return;
        }
        assert.deepEqual(told(ours), told(theirs));
        if (ours === undefined) count.refused++;
        else count.agreed++;
        db = ours?.after ?? db;
      }
    }),
    { numRuns: 1500 },
  );
  const { agreed, refused, passedOver } = count;
  assert.ok(agreed > refused / 2 && passedOver < agreed / 50, JSON.stringify(count));
});

interface Report {
  readonly datoms: readonly Datom[];
  readonly tempids: ReadonlyMap<Tempid, number>;
}

interface Told {
  readonly datoms: readonly (readonly string[])[];
  readonly tempids: readonly (number | undefined)[];
}

/** Of a refusal nothing. */
function told(report: Report | undefined): Told | undefined {
  if (report === undefined) return undefined;
  const { datoms, tempids } = report;
  return { datoms: inRuns(datoms), tempids: TEMPIDS.map((id) => tempids.get(id)) };
}

/**
 * Retractions in a row are one run, in any order: who refers to an entity is gone through in the
 * order of a hash of attributes, which are texts in one of the two. An entity that refers to itself
 * is retracted twice by DataScript.
 */
function inRuns(datoms: readonly Datom[]): readonly (readonly string[])[] {
  const runs: Set<string>[] = [];
  let last: Datom | undefined;
  for (const datom of datoms) {
    const line = `${show(datom)} ${datom.tx}`;
    if (last?.added === false && !datom.added) runs.at(-1)?.add(line);
    else runs.push(new Set([line]));
    last = datom;
  }
  return runs.map((run) => [...run].sort());
}

/**
 * Where a tempid turns out to be somebody after it was given a new eid, all begins anew, with what
 * the others were given. DataScript then gives their eids once more; here the next ones follow, and
 * there is a gap where the first one was.
 */
function beganAnew(maxEid: number, ours: Report | undefined, theirs: Report | undefined): boolean {
  const made = (report?: Report): readonly number[] =>
    [...report?.tempids.values() ?? []].filter((e) => e > maxEid && e < TX0);
  const [own, others] = [made(ours), made(theirs)];
  return new Set(others).size < others.length || Math.max(...own) > maxEid + new Set(own).size;
}

function unlessRefused(device: TheirConnection, forms: readonly unknown[]): Report | undefined {
  try {
    return device.transact(forms);
  } catch {
    return undefined;
  }
}
