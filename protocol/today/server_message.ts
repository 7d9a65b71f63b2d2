/**
 * What a server says to Logseq's clients of today where it isn't what it says to the seed's
 * (upstream.md §1.3). These clients refuse a message that has null in a field which may be left out.
 * All of it is strict here; to the clients further fields make no difference.
 */
import { z } from "zod";
import { checksumSchema, tSchema, txIdSchema } from "../id_schema.ts";
import type { Checksum, T, TxId } from "../ids.ts";

/** Answer to hello. */
export const helloAnswerSchema = z.strictObject({
  type: z.literal("hello"),
  t: tSchema,
  checksum: checksumSchema.optional(),
});

/** Answer to pull: as the seed's, with the checksum as of `t` and what each entry is for. */
export const pullOkSchema = z.strictObject({
  type: z.literal("pull/ok"),
  t: tSchema,
  checksum: checksumSchema.optional(),
  txs: z.array(z.strictObject({
    "t": tSchema,
    "tx": z.string(),
    /** null: not known. */
    "outliner-op": z.string().nullable(),
  })),
});

/**
 * The batch is stored, or was before; `t` is the version that it has reached: `t-before`, if the
 * graph was so already.
 */
export const entriesOkSchema = z.strictObject({
  type: z.literal("tx/batch/ok"),
  t: tSchema,
  checksum: checksumSchema.optional(),
});

const type = z.literal("tx/reject");

/** A batch that was refused; a client takes back what it sent, unless it is `stale`. */
export const entriesRejectSchema = z.discriminatedUnion("reason", [
  z.strictObject({ type, reason: z.literal("stale"), t: tSchema }),
  z.strictObject({ type, reason: z.literal("empty tx data") }),
  z.strictObject({ type, reason: z.literal("invalid tx") }),
  z.strictObject({ type, reason: z.literal("invalid t-before") }),
  /** The entries before the one that failed are stored, and those after it were not looked at. */
  z.strictObject({
    type,
    "reason": z.literal("db transact failed"),
    "t": tSchema,
    "success-tx-ids": z.array(txIdSchema),
    "failed-tx-id": txIdSchema.optional(),
    "missing-block-uuids": z.array(z.string()).optional(),
    "checksum": checksumSchema.optional(),
  }),
]);

export type HelloAnswer = z.output<typeof helloAnswerSchema>;
export type EntriesOk = z.output<typeof entriesOkSchema>;
export type EntriesReject = z.output<typeof entriesRejectSchema>;
/** What a batch of entries is answered with. */
export type EntriesAnswer = EntriesOk | EntriesReject;

/** Where a graph has come to. */
export interface Reached {
  readonly t: T;
  /** Left out where it isn't known. */
  readonly checksum?: Checksum;
}

/** What is told of an entry that failed. */
export interface FailedEntry {
  readonly txId: TxId | undefined;
  /** Uuids of blocks that it names and that are not there. */
  readonly missing: readonly string[];
}

export function reachedAt(t: T, checksum: Checksum | undefined): Reached {
  return checksum === undefined ? { t } : { t, checksum };
}

export function helloAnswer(reached: Reached): HelloAnswer {
  return { type: "hello", ...reached };
}

export function entriesOk(reached: Reached): EntriesOk {
  return { type: "tx/batch/ok", ...reached };
}

/** One constructor for each reason. */
export const entriesReject = {
  stale: (t: T): EntriesReject => ({ type: "tx/reject", reason: "stale", t }),
  emptyTxData: (): EntriesReject => ({ type: "tx/reject", reason: "empty tx data" }),
  invalidTx: (): EntriesReject => ({ type: "tx/reject", reason: "invalid tx" }),
  invalidTBefore: (): EntriesReject => ({ type: "tx/reject", reason: "invalid t-before" }),
  /** @param success ids of the entries before it */
  failed: (reached: Reached, success: readonly TxId[], failed: FailedEntry): EntriesReject => ({
    "type": "tx/reject",
    "reason": "db transact failed",
    ...reached,
    "success-tx-ids": [...success],
    ...failed.txId !== undefined && { "failed-tx-id": failed.txId },
    ...failed.missing.length > 0 && { "missing-block-uuids": [...failed.missing] },
  }),
} as const;

/** The answer to a batch that can't be read. */
export function entriesRefusal(fault: "invalid tx" | "invalid t-before"): EntriesReject {
  return fault === "invalid tx" ? entriesReject.invalidTx() : entriesReject.invalidTBefore();
}

/** The version that a batch has reached; `undefined`: no entry of it was looked at. */
export function reachedBy(answer: EntriesAnswer): T | undefined {
  if (answer.type === "tx/batch/ok") return answer.t;
  return answer.reason === "db transact failed" ? answer.t : undefined;
}
