/** What a batch means in a Logseq graph: the steps of datascript.md §5 between decoding and commit. */

import type { Db } from "../datascript/db.ts";
import type { Form } from "../datascript/forms.ts";
import type { TxReport } from "../datascript/report.ts";
import { transact } from "../datascript/transact.ts";
import type { List, MapValue } from "../datascript/value.ts";
import { cycleOf } from "./cycle.ts";
import { normalize } from "./normalize.ts";
import { entryForToday } from "./entries.ts";
import { orderRepairs } from "./order.ts";
import { withWholeEnds } from "./sanitize.ts";

export type Prepared =
  | {
    readonly ok: true;
    readonly report: TxReport;
    /** The log entry. */
    readonly entry: List;
  }
  /** The batch closes a loop; see cycleOf. */
  | { readonly ok: false; readonly cycle: MapValue };

/** How batches of the seed's clients are dealt with in a graph. */
export interface Practice {
  /** The forms as they are to be transacted. @throws {NodeMissing} */
  readonly settle: (db: Db, forms: readonly Form[]) => readonly Form[];
  /** The log entry. @throws {NodeMissing} */
  readonly entryOf: (report: TxReport) => List;
}

/** Where they are alone, as Logseq's server of then did it: DataScript's meaning of the forms, no other. */
export const AMONG_THEMSELVES: Practice = {
  settle: (_db, forms) => forms,
  entryOf: normalize,
};

/**
 * Beside today's clients, as these do it: what other devices have put below what a batch deletes goes
 * with it, and attributes go after their values. A block without a parent, or a number where there was
 * a ref, is what their validation refuses, with all that comes after it.
 */
export const BESIDE_TODAYS: Practice = {
  settle: (db, forms) => withWholeEnds(db, forms),
  entryOf: entryForToday,
};

/**
 * Work that transacts, repairs orders, looks for loops, and writes the log entry. Pure, and may be
 * begun again: called after NodeMissing it goes on with the step that lacked a node. A batch was
 * transacted 4 to 5 times on a graph of 50,000 datoms.
 *
 * It throws TransactError where the forms can't be transacted, and NodeMissing where a node is to be
 * loaded first.
 */
export function preparation(
  db: Db,
  forms: readonly Form[],
  { settle, entryOf }: Practice = AMONG_THEMSELVES,
): () => Prepared {
  let settled: readonly Form[] | undefined;
  let asked: TxReport | undefined;
  let report: TxReport | undefined;
  return () => {
    settled ??= settle(db, forms);
    asked ??= transact(db, settled);
    report ??= repaired(db, settled, asked);
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
