/** Keys of users and of graphs: texts that only clients can read. */
import { z } from "zod";
import type { GraphId, UserId } from "../protocol/ids.ts";
import { type KeyPair, keyPairSchema } from "../protocol/today/e2ee.ts";
import type { KvSet, Outcome } from "./change.ts";
import { commit, commitOrThrow } from "./commit.ts";
import { graphKeyKey, graphKeysPrefix, keyPairKey, parseGraphKeyKey } from "./keys.ts";
import { listPlaces } from "./list.ts";
import type { Circle } from "./members.ts";
import { parseFound, parseStored } from "./stored.ts";

/** A user's pair of keys, the private one encrypted. @throws {CorruptValueError} */
export async function readKeyPair(kv: Deno.Kv, user: UserId): Promise<KeyPair | undefined> {
  return parseFound(keyPairSchema, await kv.get<unknown>(keyPairKey(user)));
}

/** In the place of the pair that the user had. @throws {Error} it isn't known to be written */
export async function writeKeyPair(kv: Deno.Kv, user: UserId, pair: KeyPair): Promise<void> {
  const set = textsSet(keyPairKey(user), pair, Object.values(pair));
  await commitOrThrow(kv, { sets: [set] });
}

/** The graph's key, encrypted for this user. @throws {CorruptValueError} */
export async function readGraphKey(
  kv: Deno.Kv,
  graph: GraphId,
  user: UserId,
): Promise<string | undefined> {
  return parseFound(z.string(), await kv.get<unknown>(graphKeyKey(graph, user)));
}

/** The graph's key, encrypted for a user. */
export interface GraphKey {
  readonly user: UserId;
  readonly key: string;
}

/** What all users have of a graph's. Cost: one read per 500. @throws {CorruptValueError} */
export async function listGraphKeys(kv: Deno.Kv, graph: GraphId): Promise<readonly GraphKey[]> {
  const places = listPlaces(kv, { prefix: graphKeysPrefix(graph) }, parseGraphKeyKey);
  return await Array.fromAsync(
    places,
    ([{ user }, { key, value }]) => ({ user, key: parseStored(z.string(), key, value) }),
  );
}

/** The set of a key, for the commit that makes the graph. */
export function graphKeySet(graph: GraphId, { user, key }: GraphKey): KvSet {
  return textsSet(graphKeyKey(graph, user), key, [key]);
}

/**
 * Gives a user of the circle the graph's key, in the place of the one that he had. A conflict if
 * anyone of the circle isn't any more what he was: who is put out meanwhile gets none.
 */
export async function writeGraphKey(
  kv: Deno.Kv,
  circle: Circle,
  user: UserId,
  key: string,
): Promise<Outcome> {
  return await commit(kv, {
    sets: [graphKeySet(circle.graph, { user, key })],
    checks: circle.guard,
  });
}

/** Counted as the store serialises texts: 2 bytes a unit at worst. */
function textsSet(key: Deno.KvKey, value: unknown, texts: readonly string[]): KvSet {
  const units = texts.reduce((sum, text) => sum + text.length, 0);
  return { key, value, size: 2 * units + 256 };
}
