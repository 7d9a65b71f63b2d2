/** The recorded graphs and exchanges of tests/fixtures (README.md there says what a line is). */
import { gunzipSync } from "node:zlib";
import { z } from "zod";

const FOLDER = new URL("../fixtures/", import.meta.url);

const rowSchema = z.tuple([z.number(), z.string(), z.string().nullable()]);
const requestSchema = z.object({ t_before: z.number(), txs: z.array(z.string()) });
const answerSchema = z.looseObject({
  type: z.string(),
  t: z.number().optional(),
  reason: z.string().optional(),
  data: z.string().optional(),
});
const caseSchema = z.object({ kind: z.string(), request: requestSchema, response: answerSchema });
const entrySchema = z.object({ t: z.number(), tx: z.string() });
const batchSchema = z.object({
  client: z.string(),
  t_before: z.number(),
  txs: z.array(z.string()),
  response: answerSchema,
  t_after: z.number(),
  log: z.array(entrySchema),
});

export type FixtureRow = z.output<typeof rowSchema>;
export type FixtureCase = z.output<typeof caseSchema>;
export type FixtureEntry = z.output<typeof entrySchema>;
export type FixtureBatch = z.output<typeof batchSchema>;

/** `[addr, content, addresses]` of every row, ascending. */
export function readRows(set: string): readonly FixtureRow[] {
  return lines(`${set}.rows`).map((line) => rowSchema.parse(JSON.parse(line)));
}

export function readCases(set: string): readonly FixtureCase[] {
  return lines(`${set}.cases`).map((line) => caseSchema.parse(JSON.parse(line)));
}

export function readLog(set: string): readonly FixtureEntry[] {
  return lines(`${set}.log`).map((line) => entrySchema.parse(JSON.parse(line)));
}

export function readBatches(set: string): readonly FixtureBatch[] {
  return lines(`${set}.batches`).map((line) => batchSchema.parse(JSON.parse(line)));
}

/** Transit of `[e a v tx]` for each datom, in EAVT order. */
export function readDatoms(set: string, what: "datoms" | "final-datoms"): readonly string[] {
  return lines(`${set}.${what}`);
}

function lines(name: string): readonly string[] {
  const packed = Deno.readFileSync(new URL(`${name}.ndjson.gz`, FOLDER));
  return gunzipSync(packed).toString("utf-8").split("\n").filter((line) => line !== "");
}
