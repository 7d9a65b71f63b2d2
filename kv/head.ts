/**
 * A graph's head: what version it is at, and where its log and rows are. Every change of a graph
 * goes through `commitHead`, which refuses it if the head has moved since it was read.
 */
import { z } from "zod";
import { checksumSchema, generationSchema, tSchema } from "../protocol/id_schema.ts";
import {
  type Checksum,
  type Generation,
  type GraphId,
  newGeneration,
  type T,
  T_ZERO,
} from "../protocol/ids.ts";
import { type Activity, activitySchema } from "./activity.ts";
import { type Change, type KvSet, type NotCommitted, objectSet } from "./change.ts";
import { commit } from "./commit.ts";
import { getAll } from "./get_many.ts";
import { headKey } from "./keys.ts";
import { parseStored, soundOf } from "./stored.ts";

/** What is stored of a head. */
export interface HeadState {
  readonly t: T;
  /** What log and tail are kept under. */
  readonly log: Generation;
  /** What the rows are kept under. */
  readonly rows: Generation;
  /** +1 with each import into the same rows, which replaces some: caches of nodes go by it. */
  readonly rowsVersion: number;
  /** The version that the rows hold: the tail begins after it. */
  readonly flushed: T;
  /** When it was last changed; ms since the epoch. */
  readonly updatedAt: number;
  /** Batches of the last hours; none yet where it is missing. */
  readonly activity?: Activity;
  /**
   * Logseq's checksum as of t; `unknown` where the rows were replaced since it was. Only graphs that
   * today's clients use have one at all, so that others needn't pay for it.
   */
  readonly checksum?: Checksum | "unknown";
  /** Rows of the seed's import may still be missing: all its pages so far were full ones. */
  readonly importing?: true;
}

/** A head as it is in the store. Comes only from a read or from a committed change. */
export interface Head extends HeadState {
  readonly graph: GraphId;
  readonly versionstamp: string;
}

/** As commit.ts has it; the new head stands in for its versionstamp. */
export type HeadOutcome =
  | { readonly kind: "committed"; readonly head: Head }
  | NotCommitted;

const headSchema = z.object({
  t: tSchema,
  log: generationSchema,
  rows: generationSchema,
  rowsVersion: z.int().nonnegative(),
  flushed: tSchema,
  updatedAt: z.int().nonnegative(),
  activity: activitySchema.exactOptional(),
  checksum: z.literal("unknown").or(checksumSchema).exactOptional(),
  importing: z.literal(true).exactOptional(),
});

/**
 * The head now, or `undefined` where there is no such graph. One strong read.
 *
 * @throws {CorruptValueError}
 */
export async function readHead(kv: Deno.Kv, graph: GraphId): Promise<Head | undefined> {
  return parseHead(graph, await kv.get(headKey(graph)));
}

/**
 * The heads of these graphs in the same order, read by `getAll`.
 *
 * @throws {CorruptValueError}
 */
export async function readHeads(
  kv: Deno.Kv,
  graphs: readonly GraphId[],
): Promise<readonly (Head | undefined)[]> {
  return await readEach(kv, graphs, parseHead);
}

/** The same, without those that are damaged, which are logged: none keeps anybody from the others. */
export async function readSoundHeads(
  kv: Deno.Kv,
  graphs: readonly GraphId[],
): Promise<readonly (Head | undefined)[]> {
  return await readEach(
    kv,
    graphs,
    (graph, entry) => soundOf(entry, (entry) => parseHead(graph, entry)),
  );
}

async function readEach(
  kv: Deno.Kv,
  graphs: readonly GraphId[],
  parse: typeof parseHead,
): Promise<readonly (Head | undefined)[]> {
  const entries = await getAll(kv, graphs.map(headKey));
  return graphs.map((graph, i) => {
    const entry = entries[i];
    return entry && parse(graph, entry);
  });
}

/** Whether there is no such graph, or no more. One strong read; a head that is damaged is one. */
export async function isGone(kv: Deno.Kv, graph: GraphId): Promise<boolean> {
  return (await kv.get(headKey(graph))).versionstamp === null;
}

/** Whether the head hasn't moved. One strong read. */
export async function isStill(kv: Deno.Kv, { graph, versionstamp }: Head): Promise<boolean> {
  return (await readHead(kv, graph))?.versionstamp === versionstamp;
}

/** The stored head, to be set by whoever has a guard of another kind (graphs.ts). */
export function headSet(graph: GraphId, state: HeadState): KvSet {
  return objectSet(headKey(graph), storedHead(state));
}

/** Holds as long as the head hasn't moved. */
export function headGuard(head: Head): Deno.AtomicCheck {
  return { key: headKey(head.graph), versionstamp: head.versionstamp };
}

/**
 * Moves the head, and makes the change with it, in one commit: if the head is still the one that
 * was read. A conflict may be with the change itself (commit.ts).
 *
 * @throws {CommitTooLargeError} nothing was written
 */
export async function commitHead(
  kv: Deno.Kv,
  head: Head,
  next: HeadState,
  { sets = [], deletes = [], checks = [] }: Change = {},
): Promise<HeadOutcome> {
  const { graph } = head;
  const outcome = await commit(kv, {
    sets: [headSet(graph, next), ...sets],
    deletes,
    checks: [headGuard(head), ...checks],
  });
  if (outcome.kind !== "committed") return outcome;
  const { versionstamp } = outcome;
  return { kind: "committed", head: { ...storedHead(next), graph, versionstamp } };
}

/**
 * A head from what was read at its key.
 *
 * @throws {CorruptValueError}
 */
export function parseHead(graph: GraphId, entry: Deno.KvEntryMaybe<unknown>): Head | undefined {
  if (entry.versionstamp === null) return undefined;
  const state = parseStored(headSchema, entry.key, entry.value);
  return { ...state, graph, versionstamp: entry.versionstamp };
}

/** Only what is to be stored: a state may well be a head with other fields. */
function storedHead(state: HeadState): HeadState {
  const { t, log, rows, rowsVersion, flushed, updatedAt, activity, checksum, importing } = state;
  return {
    t,
    log,
    rows,
    rowsVersion,
    flushed,
    updatedAt,
    ...activity !== undefined && { activity },
    ...checksum !== undefined && { checksum },
    ...importing !== undefined && { importing },
  };
}

/** Of a head that begins, or begins anew: at 0 with a log of its own, and these rows. */
export function begun(
  rows: Generation,
): Pick<HeadState, "t" | "log" | "rows" | "rowsVersion" | "flushed"> {
  return { t: T_ZERO, log: newGeneration(), rows, rowsVersion: 0, flushed: T_ZERO };
}

/** The checksum as of the head's version; `undefined`: it has none, or nobody knows it. */
export function knownChecksum({ checksum }: HeadState): Checksum | undefined {
  return checksum === "unknown" ? undefined : checksum;
}

/** For a head of other rows than this one's: whose clients need a checksum still do. */
export function checksumLost({ checksum }: HeadState): Pick<HeadState, "checksum"> {
  return checksum === undefined ? {} : { checksum: "unknown" };
}
