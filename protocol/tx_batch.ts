/**
 * A batch as it comes in, the same over a socket and over HTTP: `{"t_before":…,"txs":[…]}`.
 * The order of the two checks is the protocol's (protocol.md §1, rejects 1 and 2).
 */
import { z } from "zod";
import { tSchema } from "./id_schema.ts";
import type { T } from "./ids.ts";

/** Transactions, each one Transit JSON of a list of forms, on top of version `t_before`. */
export interface TxBatch {
  readonly t_before: T;
  readonly txs: readonly string[];
}

/** The batch, or the first of its two fields that is not what it must be. */
export type ParsedTxBatch =
  | { readonly ok: true; readonly batch: TxBatch }
  | { readonly ok: false; readonly fault: "invalid tx" | "invalid t_before" };

const txsSchema = z.object({ txs: z.array(z.string()) });
const tBeforeSchema = z.object({ t_before: tSchema });

/** Both fields, as the OpenAPI description has them. */
export const txBatchBodySchema = z.object({ ...tBeforeSchema.shape, ...txsSchema.shape });

/** Reads the two fields off any value; other fields are ignored. */
export function parseTxBatch(value: unknown): ParsedTxBatch {
  const txs = txsSchema.safeParse(value);
  if (!txs.success) return { ok: false, fault: "invalid tx" };
  const tBefore = tBeforeSchema.safeParse(value);
  if (!tBefore.success) return { ok: false, fault: "invalid t_before" };
  return { ok: true, batch: { t_before: tBefore.data.t_before, txs: txs.data.txs } };
}
