/**
 * The end of every batch's story, whatever dialect it came in: what it changes becomes versions of
 * the graph, all of them in one commit that the head guards, or none.
 */
import { encodeTailTx } from "../datascript/root.ts";
import type { TxReport } from "../datascript/report.ts";
import { encode } from "../datascript/transit.ts";
import type { List } from "../datascript/value.ts";
import { acceptedSet, forgotten } from "../kv/accepted.ts";
import { withBatch } from "../kv/activity.ts";
import type { Change, KvSet } from "../kv/change.ts";
import { CommitTooLargeError, writeInCommits } from "../kv/commit.ts";
import {
  commitHead,
  type Head,
  headGuard,
  type HeadOutcome,
  type HeadState,
  isStill,
  readHead,
} from "../kv/head.ts";
import { rowSets } from "../kv/rows.ts";
import { entryChange, type NewEntry, readTail, spilledEntryChange } from "../kv/txlog.ts";
import { type GraphId, nextT, type SentId, type T } from "../protocol/ids.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Databases, OpenDb } from "./database.ts";
import type { Fanout } from "./fanout.ts";
import type { Flusher } from "./flush.ts";
import type { RecentEntries } from "./recent.ts";

export interface StoreDeps {
  readonly kv: Deno.Kv;
  readonly databases: Databases;
  readonly fanout: Pick<Fanout, "moved">;
  readonly flusher: Pick<Flusher, "changed">;
  readonly recent: RecentEntries;
  readonly log: Logger;
  /** Ms since the epoch. */
  readonly now: () => number;
}

/** One transaction, which makes one version. */
export interface Version {
  readonly report: TxReport;
  /** The log entry. */
  readonly entry: List;
  readonly outlinerOp?: string | undefined;
  /** The entries that are accepted with it: what made it, and others that changed nothing. */
  readonly sent: readonly SentId[];
}

/** The versions of one commit: each built on the one before, the first on the database at the head. */
export interface Versions {
  /** The database at the head, as Databases opened it. */
  readonly open: OpenDb;
  readonly made: readonly [Version, ...Version[]];
  /** As of the last of them; see HeadState. */
  readonly checksum: HeadState["checksum"];
}

/** What is to become of a batch at a head: an answer, and what has to be stored before it is given. */
export type Plan<Answer> =
  | { readonly store?: undefined; readonly answer: Answer }
  | { readonly store: Versions; readonly answer: (t: T) => Answer };

/**
 * So many versions fit into a commit however small they are: each takes four keys, and
 * MAX_COMMIT_KEY_BYTES holds some 700.
 */
export const MAX_VERSIONS = 100;

/** The store took no commit, or its answers were lost: what became of the batch can't be told. */
export class UnsettledError extends Error {
  override readonly name: string = "UnsettledError";
}

/**
 * How often a commit is tried, as the same writer, that conflicts with a flush or whose outcome is
 * unknown. So often it is a database that takes no commits.
 */
const ATTEMPTS = 10;

/**
 * Makes a plan for the graph as it is, and does it; the plan is made anew when another came between.
 * `undefined` where there is no such graph. The caller has the graph's turn.
 *
 * @param base the version that the batch is on top of: a plan stores nothing on another
 * @param arrival the last commit of this process when the batch came in
 * @param sender is not told
 * @throws {UnsettledError}
 */
export async function storePlanned<Answer>(
  deps: StoreDeps,
  graph: GraphId,
  base: T,
  plan: (head: Head) => Promise<Plan<Answer>>,
  arrival: Head | undefined,
  sender: object | undefined,
): Promise<Answer | undefined> {
  const writer = crypto.randomUUID();
  /** What is to be answered if the commit of the last attempt was made after all. */
  let told: (() => Answer) | undefined;
  /** What the store said the last time that it said anything. */
  let cause: unknown;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const passed = attempt === 0 ? passedHead(deps, graph, base, arrival) : undefined;
    const guess = attempt === 0 && passed === undefined
      ? guessedHead(deps, graph, base)
      : undefined;
    const head = passed ?? guess ?? await readHead(deps.kv, graph);
    if (head === undefined) return undefined;
    // Not only after an unknown outcome: a conflict may be with this very batch (commit.ts).
    if (told !== undefined && await wrote(deps.kv, head, base, writer)) return told();
    const planned = await planAt(deps.kv, head, plan);
    if (planned === undefined) continue;
    const { store, answer } = planned;
    if (store === undefined) {
      // Nobody is refused on a guess that was wrong.
      if (guess === undefined || await isStill(deps.kv, guess)) return answer;
      continue;
    }

    const t = versionAfter(head.t, store.made);
    const accepted = (): Answer => {
      deps.fanout.moved(graph, t, sender);
      return answer(t);
    };
    told = accepted;
    const entries = entriesOf(head, store, writer);
    const outcome = await commitVersions(deps, head, store, entries);
    switch (outcome.kind) {
      case "committed":
        keep(deps, outcome.head, store, entries);
        return accepted();
      case "conflict":
        // Another's batch came first: the plan says so next time round. Or a flush did, or a lock.
        cause = outcome.cause ?? cause;
        continue;
      case "unknown":
        // Of a disk that is full it is said once a batch: the log may be on it.
        if (cause === undefined) {
          deps.log.warn("Cannot tell whether {graph} moved to t {t}, so the log is asked", {
            graph,
            t,
            cause: outcome.cause,
          });
        }
        cause = outcome.cause;
    }
  }
  throw new UnsettledError(`Cannot settle a batch of ${graph} on t ${base}`, { cause });
}

/**
 * The plan at this head; `undefined`: it can't be made, and the graph is at another head by now, whose
 * reset, import or flush may have taken away rows of this one.
 *
 * @throws what the plan throws
 */
async function planAt<Answer>(
  kv: Deno.Kv,
  head: Head,
  plan: (head: Head) => Promise<Plan<Answer>>,
): Promise<Plan<Answer> | undefined> {
  try {
    return await plan(head);
  } catch (cause) {
    if (await isStill(kv, head)) throw cause;
    return undefined;
  }
}

/**
 * The head that this process made itself while the batch waited, if the batch is not on top of it: at
 * that moment it was to be refused, so nobody is asked again. Most batches of a graph on which many
 * write at once end so.
 */
function passedHead(
  { databases }: StoreDeps,
  graph: GraphId,
  base: T,
  arrival: Head | undefined,
): Head | undefined {
  const head = databases.lastCommit(graph);
  return head === arrival || head?.t === base ? undefined : head;
}

/**
 * The head that this process saw last, if the batch is on top of it. Mostly it still is the head: then
 * the commit, which it guards, is all that a batch has to wait for.
 */
function guessedHead({ databases }: StoreDeps, graph: GraphId, base: T): Head | undefined {
  const head = databases.lastHead(graph);
  return head?.t === base ? head : undefined;
}

function keep(
  { databases, flusher, recent }: StoreDeps,
  head: Head,
  { open, made }: Versions,
  entries: readonly NewEntry[],
): void {
  const db = (made.at(-1) ?? made[0]).report.after;
  databases.committed({ ...open, head, db });
  recent.add(head, entries);
  const length = entries.reduce((sum, { tail }) => sum + tail.length, 0);
  flusher.changed(head.graph, db.overlaySize, length);
}

function versionAfter(t: T, made: Versions["made"]): T {
  return made.reduce((last) => nextT(last), t);
}

/** Log entries, and datoms for the tail. */
function entriesOf({ t: before }: Head, { made }: Versions, writer: string): readonly NewEntry[] {
  let t = before;
  return made.map(({ report, entry, outlinerOp }) => {
    t = nextT(t);
    const tail = encodeTailTx(report.datoms);
    return { t, tx: encode(entry), tail, writer, outlinerOp };
  });
}

/** These and the head, in one commit that the head guards. */
async function commitVersions(
  { kv, now }: StoreDeps,
  head: Head,
  { open, made, checksum }: Versions,
  entries: readonly NewEntry[],
): Promise<HeadOutcome> {
  const { graph, log, rows } = head;
  const others: KvSet[] = open.founding.flatMap((row) => rowSets(graph, rows, row));
  const deletes: Deno.KvKey[] = [];
  for (const [i, { t }] of entries.entries()) {
    const sent = made[i]?.sent ?? [];
    if (sent.length > 0) others.push(acceptedSet(graph, log, t, sent));
    // Only graphs of today's clients have ids to forget.
    if (checksum !== undefined) deletes.push(...forgotten(graph, log, t));
  }
  const { checksum: _, ...state } = head;
  const updatedAt = now();
  const next = {
    ...state,
    t: versionAfter(head.t, made),
    updatedAt,
    activity: withBatch(head.activity, updatedAt),
    ...checksum !== undefined && { checksum },
  };
  return await commitEntries(kv, head, next, entries, { sets: others, deletes });
}

/**
 * Of entries that no commit holds the parts are written before, where nobody looks for them.
 *
 * @param beside what is changed in the same commit
 */
async function commitEntries(
  kv: Deno.Kv,
  head: Head,
  next: HeadState,
  entries: readonly NewEntry[],
  beside: Change,
): Promise<HeadOutcome> {
  const { graph, log } = head;
  const commitBeside = (sets: readonly KvSet[]): Promise<HeadOutcome> =>
    commitHead(kv, head, next, { ...beside, sets: [...sets, ...beside.sets ?? []] });
  try {
    return await commitBeside(entries.flatMap((entry) => entryChange(graph, log, entry)));
  } catch (thrown) {
    if (!(thrown instanceof CommitTooLargeError)) throw thrown;
    const spilled = entries.map((entry) => spilledEntryChange(graph, log, entry));
    const parts = spilled.flatMap((entry) => entry.parts);
    const written = await writeInCommits(kv, parts, [headGuard(head)]);
    if (written.kind !== "committed") return written;
    return await commitBeside(spilled.flatMap((entry) => entry.sets));
  }
}

/** Whether the entry that follows the batch's base is this writer's. */
async function wrote(
  kv: Deno.Kv,
  { graph, log, t }: Head,
  base: T,
  writer: string,
): Promise<boolean> {
  const mine = nextT(base);
  if (t < mine) return false;
  for await (const entry of readTail(kv, graph, log, base, mine)) {
    return entry.writer === writer;
  }
  return false;
}
