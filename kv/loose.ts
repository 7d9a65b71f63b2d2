/**
 * Blobs that no file's name has: one that is being uploaded, before its first byte is stored, and
 * one that a name has let go of. Each has a marker here, so that whatever is cut off is found.
 *
 * An upload's marker is its lease: renewed while bytes come in, checked by all that is stored, and
 * deleted in the commit that gives the blob a name. Whoever changes it otherwise has ended the
 * upload.
 */
import { z } from "zod";
import { type BlobPlace, type StoreName, storeNames } from "../protocol/asset.ts";
import type { GraphId } from "../protocol/ids.ts";
import { type KvSet, type NotCommitted, objectSet, type Outcome } from "./change.ts";
import { commit } from "./commit.ts";
import { looseKey, loosePrefix, parseLooseKey } from "./keys.ts";
import { listPlaces } from "./list.ts";
import { parseStored } from "./stored.ts";

/**
 * `upload`: bytes are coming in. `dropped`: it had a name until `since`. `ended`: an upload that
 * was ended by another than its writer, who may not know yet.
 */
const stateSchema = z.object({
  why: z.enum(["upload", "dropped", "ended"]),
  /** Ms since the epoch; of an upload: when it was last renewed. */
  since: z.int().nonnegative(),
  store: z.enum(storeNames),
});

export type LooseState = Readonly<z.output<typeof stateSchema>>;

/** A marker as it is in the store. Comes only from a read or from a committed change. */
export interface Loose extends LooseState {
  readonly place: BlobPlace;
  readonly versionstamp: string;
}

/** The marker of a blob that loses its name, for the commit in which it does. */
export function droppedSet(
  place: BlobPlace,
  store: StoreName,
  since: number,
): KvSet {
  return objectSet(looseKey(place), { why: "dropped", since, store } satisfies LooseState);
}

/** Holds as long as the marker is as it was read. */
export function looseGuard({ place, versionstamp }: Loose): Deno.AtomicCheck {
  return { key: looseKey(place), versionstamp };
}

export type LooseOutcome =
  | { readonly kind: "committed"; readonly loose: Loose }
  | NotCommitted;

/**
 * Marks a new blob as being uploaded.
 *
 * @param guard holds as long as there is the graph: a removal sees every marker of its graph
 */
export function markUpload(
  kv: Deno.Kv,
  place: BlobPlace,
  store: StoreName,
  since: number,
  guard: Deno.AtomicCheck,
): Promise<LooseOutcome> {
  return change(kv, place, { why: "upload", since, store }, guard);
}

/** Says that an upload is alive. A conflict: it has been ended. */
export function renewUpload(kv: Deno.Kv, loose: Loose, since: number): Promise<LooseOutcome> {
  return change(kv, loose.place, { ...stateOf(loose), since }, looseGuard(loose));
}

/** Ends another's upload: from here on it can neither store bytes nor get a name. */
export function endUpload(kv: Deno.Kv, loose: Loose, since: number): Promise<LooseOutcome> {
  return change(kv, loose.place, { ...stateOf(loose), why: "ended", since }, looseGuard(loose));
}

/** Deletes the marker, if it is still as it was read: once nothing is left of the blob. */
export async function forgetLoose(kv: Deno.Kv, loose: Loose): Promise<Outcome> {
  const deletes = [looseKey(loose.place)];
  return await commit(kv, { deletes, checks: [looseGuard(loose)] });
}

/**
 * The marker of a blob; `undefined`: it has none. One strong read.
 *
 * @throws {CorruptValueError}
 */
export async function readLoose(kv: Deno.Kv, place: BlobPlace): Promise<Loose | undefined> {
  const entry = await kv.get<unknown>(looseKey(place));
  return entry.versionstamp === null ? undefined : looseOf(place, entry);
}

/**
 * The markers of one graph, or of all graphs.
 *
 * @throws {CorruptValueError}
 */
export async function* listLoose(kv: Deno.Kv, graph?: GraphId): AsyncGenerator<Loose> {
  const markers = listPlaces(kv, { prefix: loosePrefix(graph) }, parseLooseKey);
  for await (const [place, entry] of markers) yield looseOf(place, entry);
}

async function change(
  kv: Deno.Kv,
  place: BlobPlace,
  state: LooseState,
  guard: Deno.AtomicCheck,
): Promise<LooseOutcome> {
  const sets = [objectSet(looseKey(place), state)];
  const outcome = await commit(kv, { sets, checks: [guard] });
  if (outcome.kind !== "committed") return outcome;
  const { versionstamp } = outcome;
  return { kind: "committed", loose: { ...state, place, versionstamp } };
}

function looseOf(place: BlobPlace, { key, value, versionstamp }: Deno.KvEntry<unknown>): Loose {
  return { ...parseStored(stateSchema, key, value), place, versionstamp };
}

function stateOf({ why, since, store }: Loose): LooseState {
  return { why, since, store };
}
