/**
 * Bodies and answers of HTTP as Logseq's clients of today spell them (upstream.md §1.2): hyphens in the
 * place of underscores, and more fields. Bodies are read leniently, answers are strict.
 */
import { z } from "zod";
import { graphNameSchema, millisSchema, schemaVersionSchema } from "../http.ts";
import { checksumSchema, graphIdSchema } from "../id_schema.ts";

/** `POST /graphs`. A client that says nothing of the two flags means `true`. */
export const createGraphBodySchema = z.object({
  "graph-name": graphNameSchema,
  "schema-version": schemaVersionSchema.nullish(),
  "graph-e2ee?": z.boolean().optional().transform((e2ee) => e2ee ?? true),
  "graph-ready-for-use?": z.boolean().optional().transform((ready) => ready ?? true),
});
export const createGraphAnswerSchema = z.strictObject({
  "graph-id": graphIdSchema,
  "graph-e2ee?": z.boolean(),
  "graph-ready-for-use?": z.boolean(),
});

/** One graph of `GET /graphs`, without the seed's spelling of it (../http.ts). */
export const listedGraphSchema = z.object({
  "graph-id": graphIdSchema,
  "graph-name": z.string(),
  "schema-version": z.string().optional(),
  /** Without it a client takes a graph for an encrypted one. */
  "graph-e2ee?": z.boolean(),
  "graph-ready-for-use?": z.boolean(),
  "created-at": millisSchema,
  "updated-at": millisSchema,
});

/**
 * `GET /sync/:graph-id/checksum/diagnostics`: the checksum as it comes out of the whole graph, and of
 * each block and page that it covers the texts that went into it, by attribute (without colon).
 */
export const diagnosticsAnswerSchema = z.strictObject({
  "checksum": checksumSchema,
  "e2ee?": z.boolean(),
  "attrs": z.array(z.string()),
  "blocks": z.array(z.record(z.string(), z.string())),
});

export type CreateGraphAnswer = z.output<typeof createGraphAnswerSchema>;
export type ListedGraph = z.output<typeof listedGraphSchema>;
