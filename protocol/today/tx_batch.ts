/**
 * A batch of entries, as Logseq's clients of today send it over a socket and over HTTP (upstream.md
 * §1.3): `{"t-before":…,"txs":[{"tx":…,"tx-id":…,"outliner-op":…},…]}`.
 */
import { z } from "zod";
import { tSchema, txIdSchema } from "../id_schema.ts";
import type { T, TxId } from "../ids.ts";

/** One transaction of a batch: Transit JSON of a list of forms. */
export interface TxEntry {
  readonly tx: string;
  /** By which it is known again when it is sent twice. */
  readonly txId?: TxId;
  /** What it is for, as a name without colon: `insert-blocks`. */
  readonly outlinerOp?: string;
}

/** Entries on top of version `tBefore`. */
export interface EntriesBatch {
  readonly tBefore: T;
  readonly entries: readonly TxEntry[];
}

/** The batch, or the first of its two fields that is not what it must be. */
export type ParsedEntriesBatch =
  | { readonly ok: true; readonly batch: EntriesBatch }
  | { readonly ok: false; readonly fault: "invalid tx" | "invalid t-before" };

/** The longest outliner op that is kept; Logseq's own are below 30. */
const MAX_OP_LENGTH = 256;

const entrySchema = z.object({
  "tx": z.string(),
  "tx-id": txIdSchema.nullish(),
  "outliner-op": z.string().max(MAX_OP_LENGTH).nullish(),
}).transform((entry): TxEntry => ({
  tx: entry.tx,
  ...typeof entry["tx-id"] === "string" && { txId: entry["tx-id"] },
  ...typeof entry["outliner-op"] === "string" && { outlinerOp: entry["outliner-op"] },
}));
const txsSchema = z.object({ txs: z.array(entrySchema) });
const tBeforeSchema = z.object({ "t-before": tSchema });

/** Both fields, as the OpenAPI description has them. */
export const entriesBatchBodySchema = z.object({ ...tBeforeSchema.shape, ...txsSchema.shape });

/**
 * Whether a `tx/batch` is one of entries, by its own fields: `t-before`, or entries that are objects
 * where the seed's are strings. One that shows neither is the seed's.
 */
export function isEntriesBatch(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if ("t_before" in value) return false;
  if ("t-before" in value) return true;
  const txs = "txs" in value && Array.isArray(value.txs) ? value.txs : [];
  return txs.some((entry) => typeof entry === "object" && entry !== null);
}

/** Reads the two fields off any value; other fields are ignored. */
export function parseEntriesBatch(value: unknown): ParsedEntriesBatch {
  const txs = txsSchema.safeParse(value);
  if (!txs.success) return { ok: false, fault: "invalid tx" };
  const tBefore = tBeforeSchema.safeParse(value);
  if (!tBefore.success) return { ok: false, fault: "invalid t-before" };
  return { ok: true, batch: { tBefore: tBefore.data["t-before"], entries: txs.data.txs } };
}
