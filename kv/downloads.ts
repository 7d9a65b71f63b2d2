/**
 * How far a user's download of a graph has come. In the store, since each call of it may come to
 * another process. It stays until the graph is removed: two small values for each who downloads.
 */
import { z } from "zod";
import { generationSchema, tSchema } from "../protocol/id_schema.ts";
import type { Generation, GraphId, T, UserId } from "../protocol/ids.ts";
import { objectSet, type Outcome } from "./change.ts";
import { commit } from "./commit.ts";
import { type Head, headGuard } from "./head.ts";
import { downloadKey, type DownloadStep } from "./keys.ts";
import { parseStored } from "./stored.ts";

/** The version that a pull told, of which log, and when; ms since the epoch. */
export interface Told {
  readonly log: Generation;
  readonly t: T;
  readonly at: number;
}

/** A page of rows that wasn't the last one. */
export interface Served {
  readonly rows: Generation;
  readonly lastAddr: number;
}

export interface Download {
  readonly told?: Told;
  readonly served?: Served;
  /** Holds as long as nothing else was told. */
  readonly toldGuard: Deno.AtomicCheck;
}

const toldSchema = z.object({ log: generationSchema, t: tSchema, at: z.int().nonnegative() });
const servedSchema = z.object({ rows: generationSchema, lastAddr: z.int().nonnegative() });

/** One strong read. @throws {CorruptValueError} */
export async function readDownload(
  kv: Deno.Kv,
  graph: GraphId,
  user: UserId,
): Promise<Download> {
  const keys = [downloadKey(graph, user, "told"), downloadKey(graph, user, "served")] as const;
  const [told, served] = await kv.getMany<[unknown, unknown]>(keys);
  return {
    ...told.versionstamp !== null && { told: parseStored(toldSchema, told.key, told.value) },
    ...served.versionstamp !== null &&
      { served: parseStored(servedSchema, served.key, served.value) },
    toldGuard: { key: keys[0], versionstamp: told.versionstamp },
  };
}

/** Refused if the head has moved, so that a removal leaves nothing of it, or if another was told since. */
export async function writeTold(
  kv: Deno.Kv,
  head: Head,
  user: UserId,
  told: Told,
  toldGuard: Deno.AtomicCheck,
): Promise<Outcome> {
  return await write(kv, head, user, "told", told, [toldGuard]);
}

/** Refused if the head has moved. */
export async function writeServed(
  kv: Deno.Kv,
  head: Head,
  user: UserId,
  served: Served,
): Promise<Outcome> {
  return await write(kv, head, user, "served", served);
}

async function write(
  kv: Deno.Kv,
  head: Head,
  user: UserId,
  step: DownloadStep,
  value: Told | Served,
  checks: readonly Deno.AtomicCheck[] = [],
): Promise<Outcome> {
  return await commit(kv, {
    sets: [objectSet(downloadKey(head.graph, user, step), value)],
    deletes: [],
    checks: [headGuard(head), ...checks],
  });
}
