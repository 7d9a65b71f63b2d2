/** A client's transaction, as text, into forms. */
import { TransactError } from "../datascript/errors.ts";
import { type Form, parseForms } from "../datascript/forms.ts";
import { decode, type Repeats, TransitError } from "../datascript/transit.ts";
import { isModestTransit } from "../protocol/json.ts";

/**
 * The forms of a transaction; `undefined`: its text is not Transit of forms, or nested too deeply, or repeats
 * too much.
 *
 * @param repeats of all that is stored in one commit
 */
export function parseTx(tx: string, repeats: Repeats): readonly Form[] | undefined {
  try {
    return isModestTransit(tx) ? parseForms(decode(tx, repeats)) : undefined;
  } catch (thrown) {
    if (thrown instanceof TransitError || thrown instanceof TransactError) return undefined;
    throw thrown;
  }
}
