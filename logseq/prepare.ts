/** What a batch means in a Logseq graph: the steps of datascript.md §5 between decoding and commit. */

import type { Db } from "../datascript/db.ts";
import type { Form } from "../datascript/forms.ts";
import type { TxReport } from "../datascript/report.ts";
import { transact } from "../datascript/transact.ts";
import type { List, MapValue } from "../datascript/value.ts";
import { cycleOf } from "./cycle.ts";
import { normalize } from "./normalize.ts";
import { orderRepairs } from "./order.ts";

export type Prepared =
  | {
    readonly ok: true;
    readonly report: TxReport;
    /** The log entry. */
    readonly entry: List;
  }
  /** The batch closes a loop; see cycleOf. */
  | { readonly ok: false; readonly cycle: MapValue };

/**
 * Transacts, repairs orders, looks for loops, and writes the log entry. Pure.
 *
 * @throws {TransactError} the forms can't be transacted
 * @throws {NodeMissing} load the node and call again
 */
export function prepareBatch(db: Db, forms: readonly Form[]): Prepared {
  const asked = transact(db, forms);
  const repairs = orderRepairs(asked);
  const report = repairs.length === 0 ? asked : transact(db, [...forms, ...repairs]);
  const cycle = cycleOf(report);
  return cycle === undefined
    ? { ok: true, report, entry: normalize(report) }
    : { ok: false, cycle };
}
