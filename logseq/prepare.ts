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
 * Work that transacts, repairs orders, looks for loops, and writes the log entry. Pure, and may be
 * begun again: called after NodeMissing it goes on with the step that lacked a node. A batch was
 * transacted 4 to 5 times on a graph of 50,000 datoms.
 *
 * It throws TransactError where the forms can't be transacted, and NodeMissing where a node is to be
 * loaded first.
 *
 * @param entryOf writes the log entry
 */
export function preparation(
  db: Db,
  forms: readonly Form[],
  entryOf: (report: TxReport) => List = normalize,
): () => Prepared {
  let asked: TxReport | undefined;
  let report: TxReport | undefined;
  return () => {
    asked ??= transact(db, forms);
    report ??= repaired(db, forms, asked);
    const cycle = cycleOf(report);
    return cycle === undefined
      ? { ok: true, report, entry: entryOf(report) }
      : { ok: false, cycle };
  };
}

function repaired(db: Db, forms: readonly Form[], asked: TxReport): TxReport {
  const repairs = orderRepairs(asked);
  return repairs.length === 0 ? asked : transact(db, [...forms, ...repairs]);
}
