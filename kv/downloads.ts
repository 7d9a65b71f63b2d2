/**
 * How far a user's download of a graph has come. In the store, since each call of it may come to
 * another process. It stays until the graph is removed: two small values for each who downloads.
 */
import { z } from "zod";
import { generationSchema, tSchema } from "../protocol/id_schema.ts";
import type { Generation, GraphId, T, UserId } from "../protocol/ids.ts";
import { checkOf, objectSet, type Outcome } from "./change.ts";
import { commit } from "./commit.ts";
import { downloadKey, graphKey } from "./keys.ts";
import { parseFound, soundOf } from "./stored.ts";

/** The version that a pull told, of which log, and when; ms since the epoch. */
export interface Told {
  readonly log: Generation;
  readonly t: T;
  readonly at: number;
  /** The graph was one of today's clients then: it had a checksum. */
  readonly ofTodays?: true;
}

/** A page of rows that wasn't the last one: where it began and ended, and when; ms since the epoch. */
export interface Served {
  readonly rows: Generation;
  readonly after: number;
  readonly lastAddr: number;
  readonly at: number;
}

export interface Download {
  readonly told?: Told;
  readonly served?: Served;
  /** Hold as long as the graph is there, and nothing else was told. */
  readonly guards: readonly Deno.AtomicCheck[];
}

const toldSchema = z.object({
  log: generationSchema,
  t: tSchema,
  at: z.int().nonnegative(),
  ofTodays: z.literal(true).exactOptional(),
});
const servedSchema = z.object({
  rows: generationSchema,
  after: z.int().min(-1),
  lastAddr: z.int().nonnegative(),
  at: z.int().nonnegative(),
});

/**
 * `undefined`: there is no such graph. What can't be read, as an earlier version of this server wrote
 * it (28 November 2026: no `after`, no `at`), is taken for nothing: the next page writes it anew.
 *
 * Cost: one strong read.
 */
export async function readDownload(
  kv: Deno.Kv,
  graph: GraphId,
  user: UserId,
): Promise<Download | undefined> {
  const [meta, told, served] = await kv.getMany<[unknown, unknown, unknown]>([
    graphKey(graph),
    downloadKey(graph, user, "told"),
    downloadKey(graph, user, "served"),
  ]);
  if (meta.versionstamp === null) return undefined;
  const toldNow = soundOf(told, (entry) => parseFound(toldSchema, entry));
  const servedNow = soundOf(served, (entry) => parseFound(servedSchema, entry));
  return {
    ...toldNow !== undefined && { told: toldNow },
    ...servedNow !== undefined && { served: servedNow },
    guards: [meta, told].map(checkOf),
  };
}

/** Refused if the graph is gone, so that nothing is left of it, or if another was told since. */
export async function writeTold(
  kv: Deno.Kv,
  graph: GraphId,
  user: UserId,
  told: Told,
  { guards }: Download,
): Promise<Outcome> {
  return await write(kv, downloadKey(graph, user, "told"), told, guards);
}

/** Refused in the same cases. */
export async function writeServed(
  kv: Deno.Kv,
  graph: GraphId,
  user: UserId,
  served: Served,
  { guards }: Download,
): Promise<Outcome> {
  return await write(kv, downloadKey(graph, user, "served"), served, guards);
}

async function write(
  kv: Deno.Kv,
  key: Deno.KvKey,
  value: Told | Served,
  checks: Download["guards"],
): Promise<Outcome> {
  return await commit(kv, { sets: [objectSet(key, value)], checks });
}
