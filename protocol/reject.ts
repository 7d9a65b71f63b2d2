/**
 * Why a batch was not taken: the closed list of protocol.md §1. A reject is the same object as a
 * frame on a socket and as the 200 body of HTTP. The seed client throws on a reason or a field that
 * it doesn't know, so nothing may be added here for it.
 */
import { z } from "zod";
import { tSchema } from "./id_schema.ts";
import type { T } from "./ids.ts";

const type = z.literal("tx/reject");

/** Schema of every `tx/reject`; strict, as the clients are. */
export const txRejectSchema = z.discriminatedUnion("reason", [
  z.strictObject({ type, reason: z.literal("stale"), t: tSchema }),
  z.strictObject({ type, reason: z.literal("cycle"), data: z.string() }),
  z.strictObject({ type, reason: z.literal("empty tx data") }),
  z.strictObject({ type, reason: z.literal("invalid tx") }),
  z.strictObject({ type, reason: z.literal("invalid t_before") }),
]);

/** A refused batch; nothing of it was stored. */
export type TxReject = z.output<typeof txRejectSchema>;

/** One constructor for each reason. */
export const reject = {
  /** The batch was based on another version than `t`, the current one. The client pulls and sends again. */
  stale: (t: T): TxReject => ({ type: "tx/reject", reason: "stale", t }),
  /** The batch would close a loop. `data`: Transit of `{:attr …, :server_values {…}}` (§1.7). */
  cycle: (data: string): TxReject => ({ type: "tx/reject", reason: "cycle", data }),
  /** There is no form in the whole batch. */
  emptyTxData: (): TxReject => ({ type: "tx/reject", reason: "empty tx data" }),
  /** `txs` is no array of strings, or one is not Transit of forms, or the forms can't be transacted. */
  invalidTx: (): TxReject => ({ type: "tx/reject", reason: "invalid tx" }),
  /** `t_before` is missing or not a non-negative integer. */
  invalidTBefore: (): TxReject => ({ type: "tx/reject", reason: "invalid t_before" }),
} as const;
