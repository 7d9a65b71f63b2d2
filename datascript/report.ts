/** What a transaction did. */

import type { Datom } from "./datom.ts";
import type { Db } from "./db.ts";
import type { Tempid } from "./forms.ts";

/** As DataScript's own: the databases are values, so a report that is thrown away undoes everything. */
export interface TxReport {
  readonly before: Db;
  readonly after: Db;
  /** What was added and retracted, in the order in which it happened. */
  readonly datoms: readonly Datom[];
  /** What the batch's tempids became. */
  readonly tempids: ReadonlyMap<Tempid, number>;
}
