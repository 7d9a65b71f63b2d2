/** The graphs themselves: whose they are, what they are called; made and removed in one commit. */
import { z } from "zod";
import { userIdSchema } from "../protocol/id_schema.ts";
import { type GraphId, newGeneration, T_ZERO, type UserId } from "../protocol/ids.ts";
import { CorruptValueError } from "./chunks.ts";
import { commit, objectSet, type Outcome } from "./commit.ts";
import { generationsOf, markGarbage } from "./garbage.ts";
import { type Head, headGuard, headSet, readHeads } from "./head.ts";
import {
  graphKey,
  headKey,
  orphansKey,
  ownedKey,
  ownedPrefix,
  parseOwnedKey,
  peopleKey,
} from "./keys.ts";
import { GET_MANY_KEYS, LIST_BATCH } from "./limits.ts";
import { parseStored } from "./stored.ts";

const metaSchema = z.object({
  owner: userIdSchema,
  name: z.string(),
  schemaVersion: z.string().exactOptional(),
  createdAt: z.int().nonnegative(),
});

/** What never changes of a graph; `createdAt` in ms since the epoch. */
export type GraphMeta = Readonly<z.output<typeof metaSchema>>;

/** A graph with its head, as of two moments close to each other. */
export interface OwnedGraph {
  readonly graph: GraphId;
  readonly meta: GraphMeta;
  readonly head: Head;
}

/**
 * Makes a graph at version 0, without log and rows: meta, owner's index and head in one commit. A
 * conflict says that the graph is there already (or that the database stayed locked).
 *
 * @param graph a new id
 */
export async function createGraph(
  kv: Deno.Kv,
  graph: GraphId,
  meta: GraphMeta,
): Promise<Outcome> {
  const { owner, createdAt } = meta;
  const head = {
    t: T_ZERO,
    log: newGeneration(),
    rows: newGeneration(),
    rowsVersion: 0,
    flushed: T_ZERO,
    updatedAt: createdAt,
  };
  return await commit(kv, {
    sets: [
      objectSet(graphKey(graph), meta),
      objectSet(ownedKey(owner, graph), true),
      headSet(graph, head),
    ],
    deletes: [],
    checks: [{ key: graphKey(graph), versionstamp: null }],
  });
}

/**
 * What a graph is, or `undefined` where there is none. One strong read.
 *
 * @throws {CorruptValueError}
 */
export async function readMeta(kv: Deno.Kv, graph: GraphId): Promise<GraphMeta | undefined> {
  return parseMeta(await kv.get(graphKey(graph)));
}

/**
 * The user's graphs, in no order to rely on. One that is being removed may be left out.
 *
 * Cost: two reads for 10 graphs, and the index.
 *
 * @throws {CorruptValueError}
 */
export async function listOwned(kv: Deno.Kv, user: UserId): Promise<readonly OwnedGraph[]> {
  return await readGraphs(kv, await listOwnedIds(kv, user));
}

/**
 * These graphs in the same order, without those that are gone.
 *
 * Cost: two reads for 10 graphs.
 *
 * @throws {CorruptValueError}
 */
export async function readGraphs(
  kv: Deno.Kv,
  graphs: readonly GraphId[],
): Promise<readonly OwnedGraph[]> {
  const metas = await readMetas(kv, graphs);
  const heads = await readHeads(kv, graphs);
  return graphs.flatMap((graph, i) => {
    const meta = metas[i];
    const head = heads[i];
    return meta === undefined || head === undefined ? [] : [{ graph, meta, head }];
  });
}

/**
 * Removes a graph in one commit: meta, owner's index and head are gone, its generations are marked
 * as garbage, and its members as orphans (members.ts), for the caller to sweep. Refused if the head has moved since it was read, as
 * it may refer to others by now.
 *
 * @param since ms since the epoch
 */
export async function removeGraph(
  kv: Deno.Kv,
  meta: GraphMeta,
  head: Head,
  since: number,
): Promise<Outcome> {
  const { graph } = head;
  return await commit(kv, {
    sets: [
      ...markGarbage(graph, generationsOf(head), since),
      objectSet(orphansKey(graph), true),
    ],
    deletes: [graphKey(graph), ownedKey(meta.owner, graph), headKey(graph), peopleKey(graph)],
    checks: [headGuard(head)],
  });
}

async function listOwnedIds(kv: Deno.Kv, user: UserId): Promise<readonly GraphId[]> {
  const graphs: GraphId[] = [];
  for await (const { key } of kv.list({ prefix: ownedPrefix(user) }, { batchSize: LIST_BATCH })) {
    const place = parseOwnedKey(key);
    if (place === undefined) throw new CorruptValueError("Cannot read a key of the owner's index");
    graphs.push(place.graph);
  }
  return graphs;
}

async function readMetas(
  kv: Deno.Kv,
  graphs: readonly GraphId[],
): Promise<readonly (GraphMeta | undefined)[]> {
  const metas: (GraphMeta | undefined)[] = [];
  for (let start = 0; start < graphs.length; start += GET_MANY_KEYS) {
    const some = graphs.slice(start, start + GET_MANY_KEYS);
    metas.push(...(await kv.getMany<unknown[]>(some.map(graphKey))).map(parseMeta));
  }
  return metas;
}

/** @throws {CorruptValueError} */
export function parseMeta(entry: Deno.KvEntryMaybe<unknown>): GraphMeta | undefined {
  if (entry.versionstamp === null) return undefined;
  return parseStored(metaSchema, entry.key, entry.value);
}
