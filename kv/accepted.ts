/**
 * Which entries of today's clients were accepted with a version, by the ids that the clients gave them
 * and their texts: so that they are known again when they are sent twice. Kept beside the log for its
 * last versions, and gone with it.
 */
import { z } from "zod";
import { sentIdSchema } from "../protocol/id_schema.ts";
import {
  type Generation,
  type GraphId,
  parseT,
  type SentId,
  type T,
  T_ZERO,
} from "../protocol/ids.ts";
import { type KvSet, objectSet } from "./change.ts";
import { acceptedKey, acceptedRange, parseAcceptedKey } from "./keys.ts";
import { listPlaces } from "./list.ts";
import { parseStored } from "./stored.ts";

/**
 * Ids are kept for so many versions. A client sends again what it had in flight, at most 50 entries,
 * once it is back; what others did meanwhile counts too.
 */
export const ACCEPTED_VERSIONS = 1000;

const idsSchema = z.array(sentIdSchema);

/**
 * For the commit that moves the head to t.
 *
 * @param ids some hundred at most, as they are one value
 */
export function acceptedSet(
  graph: GraphId,
  log: Generation,
  t: T,
  ids: readonly SentId[],
): KvSet {
  return objectSet(acceptedKey(graph, log, t), ids);
}

/** What the commit that moves the head to t deletes, so that no more are kept than are to be. */
export function forgotten(graph: GraphId, log: Generation, t: T): readonly Deno.KvKey[] {
  const old = parseT(t - ACCEPTED_VERSIONS);
  return old === undefined ? [] : [acceptedKey(graph, log, old)];
}

/**
 * The ids of the versions with since < t ≤ upTo, ascending by t. One read per 500.
 *
 * @throws {CorruptValueError}
 */
export async function* readAccepted(
  kv: Deno.Kv,
  graph: GraphId,
  log: Generation,
  since: T,
  upTo: T,
): AsyncGenerator<{ readonly t: T; readonly ids: readonly SentId[] }> {
  const range = acceptedRange(graph, log, since, upTo);
  for await (const [{ t }, { key, value }] of listPlaces(kv, range, parseAcceptedKey)) {
    yield { t, ids: parseStored(idsSchema, key, value) };
  }
}

/** The version after which ids are kept for a head at t. */
export function rememberedSince(t: T): T {
  return parseT(t - ACCEPTED_VERSIONS) ?? T_ZERO;
}
