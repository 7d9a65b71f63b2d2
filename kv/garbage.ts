/**
 * Generations that are nobody's. One is marked before anything is written under it that no head
 * refers to yet (an import), or in the commit by which a head lets go of it (a reset, a removal).
 * Whatever is cut off after that is found by its marker, and swept.
 */
import { z } from "zod";
import type { Generation, GraphId } from "../protocol/ids.ts";
import { checkOf, type KvSet, type NotCommitted, objectSet } from "./change.ts";
import { commit, commitOrThrow, deleteGuarded, deleteKeys, deleteRange } from "./commit.ts";
import { type Head, headGuard, readHead } from "./head.ts";
import {
  acceptedPrefix,
  addressesKey,
  claimPrefix,
  entriesPrefix,
  flushPrefix,
  garbageKey,
  garbagePrefix,
  headKey,
  parseGarbageKey,
  rowsPrefix,
  spillRange,
} from "./keys.ts";
import { listPlaces } from "./list.ts";
import { parseFound, parseStored } from "./stored.ts";

/** A marker: what lies under this generation is, or will be, nobody's. */
export interface Garbage {
  readonly graph: GraphId;
  readonly generation: Generation;
  /** When it was marked; ms since the epoch, 0 once a sweep has begun. */
  readonly since: number;
}

/** What a marker says from the beginning of a sweep on. */
const SWEPT = 0;

const markerSchema = z.object({ since: z.int().nonnegative() });

/** The markers, to be set in the commit that lets go of the generations; `since` as in Garbage. */
export function markGarbage(
  graph: GraphId,
  generations: readonly Generation[],
  since: number,
): readonly KvSet[] {
  return generations.map((generation) => objectSet(garbageKey(graph, generation), { since }));
}

/** Log and rows of a head; once, where both are the same. */
export function generationsOf(head: Head): readonly Generation[] {
  return [...new Set([head.log, head.rows])];
}

/** `conflict`, `unknown`: as commit.ts has it. */
export type OpenedGeneration =
  | { readonly kind: "opened"; readonly guard: Deno.AtomicCheck }
  | NotCommitted;

/**
 * Marks a new generation of the head's graph, before anything is written under it; refused if the
 * head has moved, so that a removal sees every marker of its graph.
 *
 * `guard` belongs into all that is written there (`writeInCommits`) and into the commit that makes
 * it the head's, which also deletes the marker (its key). It fails as soon as a sweep has
 * taken hold of the generation: nothing can be written behind the sweep's back.
 */
export async function openGeneration(
  kv: Deno.Kv,
  head: Head,
  generation: Generation,
  since: number,
): Promise<OpenedGeneration> {
  return await open(kv, head.graph, generation, since, headGuard(head));
}

/** The same for a graph that is yet to be made, with what is written there (`createGraph`). */
export async function openFirstGeneration(
  kv: Deno.Kv,
  graph: GraphId,
  generation: Generation,
  since: number,
): Promise<OpenedGeneration> {
  return await open(kv, graph, generation, since, { key: headKey(graph), versionstamp: null });
}

async function open(
  kv: Deno.Kv,
  graph: GraphId,
  generation: Generation,
  since: number,
  check: Deno.AtomicCheck,
): Promise<OpenedGeneration> {
  const outcome = await commit(kv, {
    sets: markGarbage(graph, [generation], since),
    checks: [check],
  });
  if (outcome.kind !== "committed") return outcome;
  const key = garbageKey(graph, generation);
  return { kind: "opened", guard: { key, versionstamp: outcome.versionstamp } };
}

/**
 * The markers of one graph, or of all graphs.
 *
 * @throws {CorruptValueError}
 */
export async function* listGarbage(kv: Deno.Kv, graph?: GraphId): AsyncGenerator<Garbage> {
  const markers = listPlaces(kv, { prefix: garbagePrefix(graph) }, parseGarbageKey);
  for await (const [place, { key, value }] of markers) {
    yield { ...place, since: parseStored(markerSchema, key, value).since };
  }
}

/**
 * Holds as long as the generation is marked as it is now; `undefined`: it isn't marked, or a sweep
 * has taken hold of it. One strong read.
 *
 * @throws {CorruptValueError}
 */
export async function readMarker(
  kv: Deno.Kv,
  graph: GraphId,
  generation: Generation,
): Promise<Deno.AtomicCheck | undefined> {
  const entry = await kv.get(garbageKey(graph, generation));
  const marker = parseFound(markerSchema, entry);
  return marker === undefined || marker.since === SWEPT ? undefined : checkOf(entry);
}

/**
 * Deletes all log, tail and row keys of a generation, and then its marker; answers whether it did.
 * If the graph's head refers to the generation, nothing is deleted but the marker. Idempotent: if
 * it is cut off, the marker is still there for the next sweep.
 *
 * @throws {Error} a commit isn't known to have succeeded
 */
export async function sweepGeneration(
  kv: Deno.Kv,
  graph: GraphId,
  generation: Generation,
): Promise<boolean> {
  // Another versionstamp on the marker: from here on nobody who opened the generation can write
  // under it or make it the head's, so what the head says next stays so.
  const guard = await markSwept(kv, graph, generation);
  const head = await readHead(kv, graph);
  const live = head !== undefined && generationsOf(head).includes(generation);
  if (!live) {
    // Claims first: from then on no flush writes a row behind the sweep's back.
    await deleteRange(kv, claimPrefix(graph, generation));
    await commitOrThrow(kv, { deletes: [addressesKey(graph, generation)] });
    for (const prefix of prefixesOf(graph, generation)) await deleteRange(kv, prefix);
    await deleteKeys(kv, [spillRange(graph, generation)]);
  }
  // One that a reset has made since, which lets go of what the head referred to, stays.
  await deleteGuarded(kv, [guard.key], [guard]);
  return !live;
}

async function markSwept(
  kv: Deno.Kv,
  graph: GraphId,
  generation: Generation,
): Promise<Deno.AtomicCheck> {
  const outcome = await commit(kv, { sets: markGarbage(graph, [generation], SWEPT) });
  if (outcome.kind !== "committed") {
    throw new Error("Cannot begin to sweep a generation", { cause: outcome.cause });
  }
  return { key: garbageKey(graph, generation), versionstamp: outcome.versionstamp };
}

/** All that log and rows have under a generation, but for claims. */
function prefixesOf(graph: GraphId, generation: Generation): readonly Deno.KvKey[] {
  return [
    entriesPrefix("log", graph, generation),
    entriesPrefix("tail", graph, generation),
    acceptedPrefix(graph, generation),
    rowsPrefix(graph, generation),
    flushPrefix("root", graph, generation),
    flushPrefix("dropped", graph, generation),
  ];
}
