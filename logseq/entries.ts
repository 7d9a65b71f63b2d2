/**
 * What an entry of today's clients means in a graph (upstream.md §1.9): each is a transaction by
 * itself. Loops and equal orders are not looked for, as these clients repair them themselves.
 */

import type { Db } from "../datascript/db.ts";
import { TransactError } from "../datascript/errors.ts";
import { type Form, NO_LIMITS, parseForms } from "../datascript/forms.ts";
import type { TxReport } from "../datascript/report.ts";
import { isSchemaAttribute } from "../datascript/schema.ts";
import { transact } from "../datascript/transact.ts";
import { type List, Uuid } from "../datascript/value.ts";
import { UUID } from "./attributes.ts";
import { normalizeForToday } from "./normalize.ts";
import { isDelete, isRepair } from "./outliner_op.ts";
import { sanitize } from "./sanitize.ts";

export type PreparedEntry =
  | {
    readonly kind: "changed";
    readonly report: TxReport;
    /** The log entry. */
    readonly entry: List;
  }
  /** It is accepted, and the graph is as it was: no version, no log entry. */
  | { readonly kind: "same" }
  | {
    readonly kind: "failed";
    /** For the log of the server. */
    readonly why: string;
    /** Uuids of blocks that it names and that are not there. */
    readonly missing: readonly string[];
  };

/**
 * Transacts an entry, and writes its log entry. Pure.
 *
 * @param op the entry's outliner op
 * @throws {NodeMissing} load the node and call again
 */
export function prepareEntry(
  db: Db,
  forms: readonly Form[],
  op: string | undefined,
): PreparedEntry {
  if (forms.length === 0 && isDelete(op)) {
    return { kind: "failed", why: "nothing is to be deleted", missing: [] };
  }
  try {
    const report = transact(db, sanitize(db, forms, op));
    if (report.datoms.length === 0) return { kind: "same" };
    return { kind: "changed", report, entry: entryForToday(report) };
  } catch (thrown) {
    if (!(thrown instanceof TransactError)) throw thrown;
    if (isRepair(op) && thrown.code === "lookup-ref-missing") return { kind: "same" };
    return { kind: "failed", why: `${thrown.code}: ${thrown.message}`, missing: missingOf(thrown) };
  }
}

/**
 * The log entry of a transaction, which every device of today takes. It tells what attributes are before it
 * tells values, whatever they were when these came: of a transaction that did both there may be none, and
 * devices would be stuck at it.
 *
 * @throws {TransactError} there is none
 * @throws {NodeMissing} load the node and call again
 */
export function entryForToday(report: TxReport): List {
  const entry = normalizeForToday(report);
  if (report.datoms.some(({ a }) => isSchemaAttribute(a))) {
    transact(report.before, parseForms(entry, NO_LIMITS));
  }
  return entry;
}

function missingOf({ lookup }: TransactError): readonly string[] {
  return lookup?.a === UUID && lookup.v instanceof Uuid ? [lookup.v.text] : [];
}
