/**
 * Uploads that come in by more than one call: which generation the rows of a graph's upload are
 * written under until the last call makes them the graph's, and whose upload it is.
 *
 * Whoever writes there, or looks whether it is all there, takes hold of the upload first. That breaks
 * the hold of whoever had it: his guards fail from then on, so nothing changes behind another's back.
 */
import { z } from "zod";
import { generationSchema, userIdSchema } from "../protocol/id_schema.ts";
import { type Generation, type GraphId, newGeneration, type UserId } from "../protocol/ids.ts";
import { checkOf, type NotCommitted, objectSet } from "./change.ts";
import { commit } from "./commit.ts";
import { markGarbage, readMarker } from "./garbage.ts";
import { areMet } from "./get_many.ts";
import { type Head, headGuard } from "./head.ts";
import { garbageKey, uploadKey } from "./keys.ts";
import { parseFound } from "./stored.ts";

/** A graph's upload, and a hold of it. */
export interface Upload {
  readonly graph: GraphId;
  /** What its rows are under: marked as garbage, until they are the graph's. */
  readonly rows: Generation;
  readonly by: UserId;
  /** For all that is written there, and for the switch: nobody took hold since, and no sweep. */
  readonly guards: readonly Deno.AtomicCheck[];
  /** To be deleted in the switch. */
  readonly keys: readonly Deno.KvKey[];
}

/** `none`: there is no upload. `conflict`, `unknown`: as commit.ts has it. */
export type HeldUpload =
  | { readonly kind: "held"; readonly upload: Upload }
  | { readonly kind: "none" }
  | NotCommitted;

const uploadSchema = z.object({ rows: generationSchema, by: userIdSchema });

/**
 * Begins an upload under a new generation, in the place of any before it; refused if the head has
 * moved, so that a removal sees every marker of its graph.
 *
 * @param since ms since the epoch
 */
export async function openUpload(
  kv: Deno.Kv,
  head: Head,
  by: UserId,
  since: number,
): Promise<Exclude<HeldUpload, { readonly kind: "none" }>> {
  const { graph } = head;
  return await hold(kv, graph, { rows: newGeneration(), by }, since, [headGuard(head)]);
}

/**
 * Takes hold of the graph's upload.
 *
 * @param since ms since the epoch: it is abandoned only a while after the last hold
 * @throws {CorruptValueError}
 */
export async function holdUpload(
  kv: Deno.Kv,
  graph: GraphId,
  since: number,
): Promise<HeldUpload> {
  const entry = await kv.get(uploadKey(graph));
  const stored = parseFound(uploadSchema, entry);
  const marker = stored && await readMarker(kv, graph, stored.rows);
  if (stored === undefined || marker === undefined) return { kind: "none" };
  return await hold(kv, graph, stored, since, [checkOf(entry), marker]);
}

/** What the graph's upload is under, if there is one. One strong read. @throws {CorruptValueError} */
export async function readUploadRows(
  kv: Deno.Kv,
  graph: GraphId,
): Promise<Generation | undefined> {
  return parseFound(uploadSchema, await kv.get(uploadKey(graph)))?.rows;
}

/**
 * Holds as long as nobody begins an upload into the graph; `undefined`: one is under way. Two strong
 * reads.
 *
 * @throws {CorruptValueError}
 */
export async function noUploadGuard(
  kv: Deno.Kv,
  graph: GraphId,
): Promise<Deno.AtomicCheck | undefined> {
  const entry = await kv.get(uploadKey(graph));
  const rows = parseFound(uploadSchema, entry)?.rows;
  const isUnderWay = rows !== undefined && await readMarker(kv, graph, rows) !== undefined;
  return isUnderWay ? undefined : checkOf(entry);
}

/** Whether the hold is not broken. One strong read. */
export async function isHeld(kv: Deno.Kv, { guards }: Upload): Promise<boolean> {
  return await areMet(kv, guards);
}

/**
 * Forgets the graph's upload if it is the one under this generation, which is to be swept then. If
 * somebody takes hold of it meanwhile it stays, and is none without its marker.
 *
 * @throws {Error} the commit isn't known to have succeeded
 */
export async function forgetUpload(
  kv: Deno.Kv,
  graph: GraphId,
  rows: Generation,
): Promise<void> {
  const entry = await kv.get(uploadKey(graph));
  if (parseFound(uploadSchema, entry)?.rows !== rows) return;
  const outcome = await commit(kv, { deletes: [entry.key], checks: [checkOf(entry)] });
  if (outcome.kind === "unknown") {
    throw new Error(`Cannot forget an upload into ${graph}`, { cause: outcome.cause });
  }
}

async function hold(
  kv: Deno.Kv,
  graph: GraphId,
  { rows, by }: z.output<typeof uploadSchema>,
  since: number,
  checks: readonly Deno.AtomicCheck[],
): Promise<Exclude<HeldUpload, { readonly kind: "none" }>> {
  const keys = [uploadKey(graph), garbageKey(graph, rows)];
  const outcome = await commit(kv, {
    sets: [objectSet(uploadKey(graph), { rows, by }), ...markGarbage(graph, [rows], since)],
    checks,
  });
  if (outcome.kind !== "committed") return outcome;
  const guards = keys.map((key) => ({ key, versionstamp: outcome.versionstamp }));
  return { kind: "held", upload: { graph, rows, by, guards, keys } };
}
