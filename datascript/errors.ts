/** What the engine throws: refusals of a transaction, and stored rows that make no sense. */

import type { Value } from "./value.ts";

/** Why a transaction can't be done: a closed list. */
export type TransactErrorCode =
  | "form-syntax"
  | "entity-id-syntax"
  | "ids-used-up"
  | "lookup-ref-syntax"
  | "lookup-ref-not-unique"
  | "lookup-ref-missing"
  | "attribute-syntax"
  | "value-missing"
  | "value-syntax"
  | "reverse-attribute-not-ref"
  | "schema-syntax"
  | "tempid-in-retraction"
  | "tempid-as-value-only"
  | "upsert-conflict"
  | "late-upserts"
  | "too-much-to-read"
  | "unique-conflict"
  | "cas-failed";

/** A refusal: the forms can't be transacted. The client's doing, never a fault of ours. */
export class TransactError extends Error {
  override readonly name = "TransactError";
  /** @param lookup the lookup ref that nothing was found for, where that is the reason */
  constructor(
    readonly code: TransactErrorCode,
    message: string,
    readonly lookup?: { readonly a: string; readonly v: Value },
  ) {
    super(message);
  }
}

/** A row is not what the format says (datascript.md §2): a fault of who stored it. */
export class CorruptRowError extends Error {
  override readonly name = "CorruptRowError";
}
