/** The graphs themselves: whose they are, what they are called; made and removed in one commit. */
import { z } from "zod";
import { userIdSchema } from "../protocol/id_schema.ts";
import {
  type Checksum,
  type Generation,
  type GraphId,
  newGeneration,
  type UserId,
} from "../protocol/ids.ts";
import { type Change, checkOf, type KvSet, objectSet, type Outcome } from "./change.ts";
import { commit, commitOrThrow } from "./commit.ts";
import { isStoreDamage } from "./damage.ts";
import { generationsOf, markGarbage } from "./garbage.ts";
import { begun, type Head, headGuard, headSet, readSoundHeads } from "./head.ts";
import { getAll } from "./get_many.ts";
import {
  creationKey,
  garbageKey,
  goneKey,
  gonePrefix,
  graphKey,
  graphsPrefix,
  headKey,
  headsPrefix,
  orphansKey,
  ownedKey,
  ownedPrefix,
  parseGoneKey,
  parseGraphKey,
  parseOwnedKey,
  parseUnreadyKey,
  peopleKey,
  unreadyKey,
  unreadyPrefix,
  uploadKey,
} from "./keys.ts";
import { listPlaces } from "./list.ts";
import { parseFound, parseStored, soundOf } from "./stored.ts";

const metaSchema = z.object({
  owner: userIdSchema,
  name: z.string(),
  schemaVersion: z.string().exactOptional(),
  createdAt: z.int().nonnegative(),
  /** Titles and names come encrypted; no word of it says that they don't. */
  e2ee: z.boolean().exactOptional(),
  /** `false`: the upload that makes it has not ended; no word of it says that it is ready. */
  readyForUse: z.boolean().exactOptional(),
});

/** What a graph is, apart from its versions; `createdAt` in ms since the epoch. */
export type GraphMeta = Readonly<z.output<typeof metaSchema>>;

/** A graph with its head, as of two moments close to each other. */
export interface GraphAtHead {
  readonly graph: GraphId;
  readonly meta: GraphMeta;
  readonly head: Head;
}

/** Rows that were written before their graph is made (`openFirstGeneration`). */
export interface FirstRows {
  readonly generation: Generation;
  /** Holds as long as no sweep has taken them. */
  readonly guard: Deno.AtomicCheck;
}

/** How many graphs a user has, and what shows that there are no more since. */
export interface OwnedCount {
  readonly count: number;
  /** Of the user's last creation with a count; `null` before the first. */
  readonly versionstamp: string | null;
}

/**
 * Counts a user's graphs, as far as it matters.
 *
 * @param most from which number on it doesn't
 */
export async function countOwned(kv: Deno.Kv, user: UserId, most: number): Promise<OwnedCount> {
  // First the guard, then what it guards: a graph made in between is one that the guard tells of.
  const { versionstamp } = await kv.get(creationKey(user));
  let count = 0;
  for await (const _ of kv.list({ prefix: ownedPrefix(user) }, { limit: most })) count++;
  return { count, versionstamp };
}

/**
 * Whether a graph of the user's has this name. What `countOwned` counted before guards it. The name of
 * a graph that is damaged is nobody's to know: it is logged.
 *
 * Cost: one read for 10 graphs, and the index.
 *
 * @throws {CorruptValueError} a key is none of the index
 */
export async function isNameTaken(kv: Deno.Kv, user: UserId, name: string): Promise<boolean> {
  const metas = await readSoundMetas(kv, await listOwnedIds(kv, user));
  return metas.some((meta) => meta?.name === name);
}

/** What a graph is made with. */
export interface Creation {
  /** Its rows; it has none without. */
  readonly first?: FirstRows;
  /** Where it matters which graphs the owner has: no other may have been made since. */
  readonly owned?: OwnedCount | undefined;
  /** Of a graph for today's clients: that of an empty one. */
  readonly checksum?: Checksum | undefined;
  /** What else is set with it. */
  readonly beside?: readonly KvSet[];
}

/**
 * Makes a graph at version 0, without log: meta, owner's index and head in one commit. A conflict
 * says that the graph is there already, or that its owner has made another since `owned` (or that
 * the database stayed locked).
 *
 * @param graph a new id
 */
export async function createGraph(
  kv: Deno.Kv,
  graph: GraphId,
  meta: GraphMeta,
  { first, owned, checksum, beside = [] }: Creation = {},
): Promise<Outcome> {
  const { owner, createdAt } = meta;
  const head = {
    ...begun(first?.generation ?? newGeneration()),
    updatedAt: createdAt,
    ...checksum !== undefined && { checksum },
  };
  return await commit(kv, {
    sets: [
      objectSet(graphKey(graph), meta),
      objectSet(ownedKey(owner, graph), true),
      objectSet(creationKey(owner), true),
      headSet(graph, head),
      ...meta.readyForUse === false ? [objectSet(unreadyKey(graph), { since: createdAt })] : [],
      ...beside,
    ],
    deletes: first === undefined ? [] : [garbageKey(graph, first.generation)],
    checks: [
      { key: graphKey(graph), versionstamp: null },
      ...first === undefined ? [] : [first.guard],
      ...owned === undefined ? [] : [{ key: creationKey(owner), versionstamp: owned.versionstamp }],
    ],
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
 * Holds as long as there is the graph, whatever becomes of its log and rows; `undefined`: there is
 * none. For changes of what a graph owns beside these. One strong read.
 */
export async function readGraphGuard(
  kv: Deno.Kv,
  graph: GraphId,
): Promise<Deno.AtomicCheck | undefined> {
  const entry = await kv.get(graphKey(graph));
  return entry.versionstamp === null ? undefined : checkOf(entry);
}

/**
 * What makes a graph ready for use, to be part of a commit that its head guards: nothing, if it is
 * so already. `undefined`: there is no such graph. One strong read.
 *
 * @throws {CorruptValueError}
 */
export async function readyChange(
  kv: Deno.Kv,
  graph: GraphId,
): Promise<Required<Change> | undefined> {
  const entry = await kv.get<unknown>(graphKey(graph));
  const meta = parseMeta(entry);
  if (meta === undefined) return undefined;
  if (meta.readyForUse !== false) return { sets: [], deletes: [], checks: [] };
  return {
    sets: [objectSet(entry.key, { ...meta, readyForUse: true } satisfies GraphMeta)],
    deletes: [unreadyKey(graph)],
    checks: [checkOf(entry)],
  };
}

/**
 * The user's graphs, in no order to rely on. One that is being removed may be left out, and so is one
 * that is damaged (`readGraphs`).
 *
 * Cost: two reads for 10 graphs, and the index.
 *
 * @throws {CorruptValueError} a key is none of the index
 */
export async function listOwned(kv: Deno.Kv, user: UserId): Promise<readonly GraphAtHead[]> {
  return await readGraphs(kv, await listOwnedIds(kv, user));
}

/**
 * These graphs in the same order, without those that are gone. One that is damaged is logged and left
 * out: it keeps nobody from his others.
 *
 * Cost: two reads for 10 graphs.
 */
export async function readGraphs(
  kv: Deno.Kv,
  graphs: readonly GraphId[],
): Promise<readonly GraphAtHead[]> {
  const metas = await readSoundMetas(kv, graphs);
  const heads = await readSoundHeads(kv, graphs);
  return graphs.flatMap((graph, i) => {
    const meta = metas[i];
    const head = heads[i];
    return meta === undefined || head === undefined ? [] : [{ graph, meta, head }];
  });
}

/**
 * All graphs of the store, also those of which only meta or head is there, which is a fault.
 *
 * @throws {CorruptValueError} a key is no graph's
 */
export async function listGraphIds(kv: Deno.Kv): Promise<readonly GraphId[]> {
  const graphs = new Set<GraphId>();
  const faults: unknown[] = [];
  const prefixes = [graphsPrefix(), headsPrefix()];
  for (const prefix of prefixes) {
    try {
      for await (const [graph] of listPlaces(kv, { prefix }, parseGraphKey)) graphs.add(graph);
    } catch (cause) {
      // A list ends at a value that can't be read: the other one has the graph all the same.
      if (!isStoreDamage(cause)) throw cause;
      faults.push(cause);
    }
  }
  if (faults.length === prefixes.length) throw faults[0];
  return [...graphs];
}

/** Whether the owner's list has the graph. One strong read. */
export async function isListed(kv: Deno.Kv, owner: UserId, graph: GraphId): Promise<boolean> {
  return (await kv.get(ownedKey(owner, graph))).versionstamp !== null;
}

/**
 * Removes a graph in one commit: meta, owner's index and head are gone, its generations are marked
 * as garbage, its members as orphans (members.ts) and its files as to be removed, for the caller to
 * sweep. Refused if the head has moved since it was read, as it may refer to others by now.
 *
 * @param since ms since the epoch
 * @param checks what else must hold
 */
export async function removeGraph(
  kv: Deno.Kv,
  meta: GraphMeta,
  head: Head,
  since: number,
  checks: readonly Deno.AtomicCheck[] = [],
): Promise<Outcome> {
  const { graph } = head;
  return await commit(kv, {
    sets: [
      ...markGarbage(graph, generationsOf(head), since),
      objectSet(orphansKey(graph), true),
      objectSet(goneKey(graph), { since }),
    ],
    deletes: [
      graphKey(graph),
      ownedKey(meta.owner, graph),
      headKey(graph),
      peopleKey(graph),
      unreadyKey(graph),
      uploadKey(graph),
    ],
    checks: [headGuard(head), ...checks],
  });
}

const unreadySchema = z.object({ since: z.int().nonnegative() });

/** Graphs that wait for their upload, and since when; ms since the epoch. @throws {CorruptValueError} */
export async function* listUnready(
  kv: Deno.Kv,
): AsyncGenerator<{ readonly graph: GraphId; readonly since: number }> {
  const places = listPlaces(kv, { prefix: unreadyPrefix() }, parseUnreadyKey);
  for await (const [graph, { key, value }] of places) {
    yield { graph, since: parseStored(unreadySchema, key, value).since };
  }
}

/** Graphs that were removed, and of which files may be left. */
export async function* listGone(kv: Deno.Kv): AsyncGenerator<GraphId> {
  for await (const [graph] of listPlaces(kv, { prefix: gonePrefix() }, parseGoneKey)) yield graph;
}

/** Says that no file is left of a removed graph. */
export async function forgetGone(kv: Deno.Kv, graph: GraphId): Promise<void> {
  await commitOrThrow(kv, { deletes: [goneKey(graph)] });
}

async function listOwnedIds(kv: Deno.Kv, user: UserId): Promise<readonly GraphId[]> {
  const places = listPlaces(kv, { prefix: ownedPrefix(user) }, parseOwnedKey);
  return await Array.fromAsync(places, ([{ graph }]) => graph);
}

async function readSoundMetas(
  kv: Deno.Kv,
  graphs: readonly GraphId[],
): Promise<readonly (GraphMeta | undefined)[]> {
  return (await getAll(kv, graphs.map(graphKey))).map((entry) => soundOf(entry, parseMeta));
}

/** @throws {CorruptValueError} */
export function parseMeta(entry: Deno.KvEntryMaybe<unknown>): GraphMeta | undefined {
  return parseFound(metaSchema, entry);
}
