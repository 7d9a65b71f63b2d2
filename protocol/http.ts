/**
 * Bodies, query parameters and answers of every HTTP route (protocol.md §2). Bodies are read
 * leniently (unknown fields are ignored), answers are strict. Answers that carry stored rows or log
 * entries are put together from bytes (sync/); their schemas here are what tests read them with.
 */
import { z } from "zod";
import { addrSchema, graphIdSchema } from "./id_schema.ts";
import { parseT, type T, T_ZERO } from "./ids.ts";
import { isModestTransit } from "./json.ts";

/** Ms since the epoch. */
export const millisSchema = z.int().nonnegative();

export const okAnswerSchema = z.strictObject({ ok: z.literal(true) });

/** These limits keep the graph's meta entry far below what KV takes in a value. */
export const graphNameSchema = z.string().max(1024);
export const schemaVersionSchema = z.string().max(256);

/**
 * `POST /graphs`. The seed client sends `null` for a schema version that it doesn't know: the same as
 * none.
 */
export const createGraphBodySchema = z.object({
  graph_name: graphNameSchema,
  schema_version: schemaVersionSchema.nullish(),
});
export const createGraphAnswerSchema = z.strictObject({ graph_id: graphIdSchema });

/**
 * `GET /graphs`: the caller's own graphs and those that he was invited to, newest `updated_at` first;
 * times in ms since the epoch. It has no dialect, so each graph is told in today's spelling too
 * (today/members.ts), which this drops.
 */
export const graphsAnswerSchema = z.object({
  graphs: z.array(z.object({
    graph_id: graphIdSchema,
    graph_name: z.string(),
    schema_version: z.string().optional(),
    created_at: millisSchema,
    updated_at: millisSchema,
  })),
});

/** `DELETE /graphs/:graph-id`, in both spellings as it has no dialect. */
export const deleteGraphAnswerSchema = z.strictObject({
  "graph_id": graphIdSchema,
  "graph-id": graphIdSchema,
  "deleted": z.literal(true),
});

/** The nodes that a graph gets later have greater addresses than all that it has: they must not run out. */
const MAX_IMPORTED_ADDR = 2 ** 52;

/** One row as it is imported: `[addr, content, addresses]`; no third element says the same as null. */
export const importRowSchema = z.tuple([
  addrSchema.refine((addr) => addr <= MAX_IMPORTED_ADDR),
  z.string().refine(isModestTransit),
  z.string().refine(isModestTransit).nullish(),
]);

/** Characters (UTF-16 units) that a row may have, content and addresses together. */
export const MAX_ROW_LENGTH = 16 * 1024 * 1024;

export function rowLength([, content, addresses]: z.output<typeof importRowSchema>): number {
  return content.length + (addresses?.length ?? 0);
}

/** `POST /sync/:graph-id/snapshot/import`. */
export const importBodySchema = z.object({
  reset: z.boolean().optional().transform((reset) => reset ?? false),
  rows: z.array(importRowSchema),
});
/** `count`: rows in this call. */
export const importAnswerSchema = z.strictObject({
  ok: z.literal(true),
  count: z.int().nonnegative(),
});

/** `GET /sync/:graph-id/snapshot/rows`; `addresses` exactly as it was imported. */
export const rowsAnswerSchema = z.strictObject({
  rows: z.array(z.strictObject({
    addr: addrSchema,
    content: z.string(),
    addresses: z.string().nullable(),
  })),
  last_addr: z.int().min(-1),
  done: z.boolean(),
});

export type GraphsAnswer = z.output<typeof graphsAnswerSchema>;
export type CreateGraphBody = z.output<typeof createGraphBodySchema>;
export type ImportBody = z.output<typeof importBodySchema>;
export type RowsAnswer = z.output<typeof rowsAnswerSchema>;

const DIGITS = /^[0-9]+$/;
const INTEGER = /^-?[0-9]+$/;

/** `?since=`: decimal digits of a version; 0 without the parameter; `undefined`: invalid since. */
export function parseSince(text: string | undefined): T | undefined {
  return text === undefined ? T_ZERO : parseVersion(text);
}

/** A version in a query: decimal digits; `undefined`: it is none. */
export function parseVersion(text: string | undefined): T | undefined {
  return text !== undefined && DIGITS.test(text) ? parseT(Number(text)) : undefined;
}

/** `?after=`: an address, or -1 (the default, also for what is no integer): from the first row on. */
export function parseAfter(text: string | undefined): number {
  return Math.max(-1, parseInteger(text) ?? -1);
}

/** `?limit=`: rows wanted, 1 to 2000; 500 without it and for what is no integer. */
export function parseLimit(text: string | undefined): number {
  return Math.min(2000, Math.max(1, parseInteger(text) ?? 500));
}

function parseInteger(text: string | undefined): number | undefined {
  if (text === undefined || !INTEGER.test(text)) return undefined;
  // Number(): digits beyond 2^53 give a neighbour or Infinity, and both are clamped or past every row.
  return Math.min(Number(text), Number.MAX_SAFE_INTEGER);
}
