/** The parsers of ids.ts as schemas, to be parts of messages and bodies. */
import { z } from "zod";
import {
  type Addr,
  type BlobId,
  type Checksum,
  type Email,
  type Generation,
  type GraphId,
  parseAddr,
  parseBlobId,
  parseChecksum,
  parseEmail,
  parseGeneration,
  parseGraphId,
  parseSentId,
  parseT,
  parseTxId,
  parseUserId,
  type SentId,
  type T,
  type TxId,
  type UserId,
} from "./ids.ts";

/** A graph's version: a JSON integer from 0 to 2^53 - 1. */
export const tSchema = z.int().nonnegative().transform((value, context): T => {
  return parseT(value) ?? refuse(context, "a version");
});

/** A row's address: a JSON integer from 0 to 2^53 - 1. */
export const addrSchema = z.int().nonnegative().transform((value, context): Addr => {
  return parseAddr(value) ?? refuse(context, "an address");
});

/** A graph's id: UUID text of any version; upper case is folded. */
export const graphIdSchema = z.string().meta({ format: "uuid" }).transform(
  (value, context): GraphId => {
    return parseGraphId(value) ?? refuse(context, "a graph id");
  },
);

/** A user, as in the claim `sub`. */
export const userIdSchema = z.string().transform((value, context): UserId => {
  return parseUserId(value) ?? refuse(context, "a user");
});

/** An e-mail address; upper case is folded. */
export const emailSchema = z.string().transform((value, context): Email => {
  return parseEmail(value) ?? refuse(context, "an e-mail address");
});

/** What a log or rows are kept under. */
export const generationSchema = z.string().transform((value, context): Generation => {
  return parseGeneration(value) ?? refuse(context, "a generation");
});

/** What a file's bytes are kept under. */
export const blobIdSchema = z.string().transform((value, context): BlobId => {
  return parseBlobId(value) ?? refuse(context, "the id of a blob");
});

/** An entry of today's clients: UUID text of any version; upper case is folded. */
export const txIdSchema = z.string().transform((value, context): TxId => {
  return parseTxId(value) ?? refuse(context, "a tx id");
});

/** An entry as it was sent. */
export const sentIdSchema = z.string().transform((value, context): SentId => {
  return parseSentId(value) ?? refuse(context, "the id of an entry as it was sent");
});

/** A graph's checksum. */
export const checksumSchema = z.string().transform((value, context): Checksum => {
  return parseChecksum(value) ?? refuse(context, "a checksum");
});

interface Refusable {
  readonly issues: z.core.$ZodRawIssue[];
  readonly value: unknown;
}

function refuse(context: Refusable, what: string): never {
  context.issues.push({ code: "custom", message: `is not ${what}`, input: context.value });
  return z.NEVER;
}
