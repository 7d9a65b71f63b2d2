/** A client's transaction, as text, into forms. */
import { TransactError } from "../datascript/errors.ts";
import { type Form, parseForms } from "../datascript/forms.ts";
import { decode, TransitError } from "../datascript/transit.ts";
import { isModestTransit } from "../protocol/json.ts";

/** The forms of a transaction; `undefined`: its text is not Transit of forms, or nested too deeply. */
export function parseTx(tx: string): readonly Form[] | undefined {
  try {
    return isModestTransit(tx) ? parseForms(decode(tx)) : undefined;
  } catch (thrown) {
    if (thrown instanceof TransitError || thrown instanceof TransactError) return undefined;
    throw thrown;
  }
}
