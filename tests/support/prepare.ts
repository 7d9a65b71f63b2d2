/** A batch on a database that is all in memory. */
import type { Db } from "../../datascript/db.ts";
import type { Form } from "../../datascript/forms.ts";
import { preparation, type Prepared } from "../../logseq/prepare.ts";

/** @throws {TransactError} the forms can't be transacted */
export function prepareBatch(db: Db, forms: readonly Form[]): Prepared {
  return preparation(db, forms)();
}
