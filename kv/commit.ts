/**
 * The way into the store: sets and deletes, guarded, counted, in one atomic operation each. What
 * can't be known of a commit (the connection broke) is an outcome here, and the caller's to settle.
 */
import { type Change, type KvSet, type Outcome, Tally } from "./change.ts";
import { Gathering } from "./gather.ts";
import { LIST_BATCH } from "./limits.ts";
import { pause } from "./pause.ts";

const observers = new WeakMap<Deno.Kv, (outcome: Outcome["kind"]) => void>();

/** From now on the observer is told of every commit through this handle; it may not throw. */
export function observeCommits(kv: Deno.Kv, observer: (outcome: Outcome["kind"]) => void): void {
  observers.set(kv, observer);
}

const gatherings = new WeakMap<Deno.Kv, Gathering>();

/**
 * From now on changes that come while a commit through this handle is under way go into the store
 * together. For a store that takes one commit after the other, as SQLite does: where commits go side
 * by side, they would wait for nothing.
 */
export function gatherCommits(kv: Deno.Kv): void {
  gatherings.set(kv, new Gathering((change, deadline) => attempt(kv, change, deadline)));
}

/** A change is more than one commit can hold, or a value more than the store takes. */
export class CommitTooLargeError extends RangeError {
  override readonly name: string = "CommitTooLargeError";
}

/** A database that stays locked for longer is a conflict. */
const LOCKED_FOR_MS = 2000;

/**
 * Commits all of the change or nothing, in one atomic operation.
 *
 * Two processes on one SQLite file meet "database is locked" at once (platform.md §3), and it says
 * that nothing was committed: tried again after 1 to 5 ms, at random so that the two don't stay in
 * step.
 *
 * @param lockedForMs for how long to try while the database is locked
 * @throws {CommitTooLargeError} beyond limits.ts; nothing was written
 */
export async function commit(
  kv: Deno.Kv,
  change: Change,
  lockedForMs: number = LOCKED_FOR_MS,
): Promise<Outcome> {
  mustFit(change);
  const deadline = performance.now() + lockedForMs;
  const outcome = await (gatherings.get(kv)?.commit(change, deadline) ??
    attempt(kv, change, deadline));
  observers.get(kv)?.(outcome.kind);
  return outcome;
}

/** @param deadline of `performance.now()`, for a database that is locked */
async function attempt(kv: Deno.Kv, change: Change, deadline: number): Promise<Outcome> {
  for (;;) {
    try {
      const result = await operationOf(kv, change).commit();
      return result.ok
        ? { kind: "committed", versionstamp: result.versionstamp }
        : { kind: "conflict" };
    } catch (cause) {
      if (isTooLarge(cause)) {
        throw new CommitTooLargeError("Cannot commit a change that the store refuses", { cause });
      }
      if (!isLocked(cause)) return { kind: "unknown", cause };
      if (performance.now() >= deadline) return { kind: "conflict", cause };
      await pause(1 + 4 * Math.random());
    }
  }
}

/**
 * For changes that say the same if they are made twice, and that no check can refuse.
 *
 * @throws {Error} it isn't known to be committed, with the cause
 * @throws {CommitTooLargeError}
 */
export async function commitOrThrow(kv: Deno.Kv, change: Change): Promise<void> {
  const outcome = await commit(kv, change);
  if (outcome.kind === "committed") return;
  throw new Error("Cannot commit a change", { cause: outcome.cause });
}

/**
 * Writes sets in as few commits as the limits allow, each of them guarded: atomic are the commits,
 * not the whole. So it is for what nothing refers to yet. Without sets the guard alone is checked.
 *
 * Stops at the first commit that doesn't succeed, with its outcome; the one after it may have been
 * made. Two are under way at a time, so that the store needn't wait for the next one, and the sets of
 * a third are taken meanwhile: what it costs to make them is hidden behind the store's work.
 *
 * @param sets only as many as fill three commits are taken, and in memory, at a time
 * @param guard what must hold at each commit; fewer than MAX_CHECKS
 */
export async function writeInCommits(
  kv: Deno.Kv,
  sets: Iterable<KvSet> | AsyncIterable<KvSet>,
  guard: readonly Deno.AtomicCheck[] = [],
): Promise<Outcome> {
  const underWay: Promise<Outcome>[] = [];
  // Nothing keeps the first from being made.
  let outcome: Outcome = { kind: "committed", versionstamp: "" };
  const settle = async (left: number): Promise<void> => {
    while (underWay.length > left && outcome.kind === "committed") {
      outcome = await underWay.shift() ?? outcome;
    }
  };
  try {
    let isBeforeNext = false;
    for await (const batch of fullBatches(sets, guard)) {
      await settle(isBeforeNext ? 0 : 1);
      if (outcome.kind !== "committed") return outcome;
      const made = commit(kv, { sets: batch, checks: guard });
      // It may fail before anybody looks at it.
      made.catch(() => {});
      underWay.push(made);
      isBeforeNext = batch.at(-1)?.isBeforeNext ?? false;
    }
    await settle(0);
    return outcome;
  } finally {
    // Whatever comes of it, nothing is written any more once that is told.
    await Promise.allSettled(underWay);
  }
}

/** Each as full as one commit may be, but the last, which is there in any case. */
async function* fullBatches(
  sets: Iterable<KvSet> | AsyncIterable<KvSet>,
  guard: readonly Deno.AtomicCheck[],
): AsyncGenerator<readonly KvSet[]> {
  let tally = tallyOf(guard);
  let batch: KvSet[] = [];
  for await (const set of sets) {
    if (!tally.add(set.key, set.size)) {
      yield batch;
      tally = tallyOf(guard);
      tally.add(set.key, set.size);
      batch = [];
    }
    batch.push(set);
  }
  yield batch;
}

function tallyOf(guard: readonly Deno.AtomicCheck[]): Tally {
  const tally = new Tally();
  tally.addChecks(guard);
  return tally;
}

/**
 * Deletes all keys that begin with these parts, in full commits. If it is cut off, what is left is
 * deleted by doing it again.
 *
 * Cost: reads every value, as the store has no list of keys alone.
 *
 * @throws {Error} a commit isn't known to have succeeded
 */
export async function deleteRange(kv: Deno.Kv, prefix: Deno.KvKey): Promise<void> {
  await deleteKeys(kv, [{ prefix }]);
}

/**
 * The same for all keys that selectors find, in commits that are full across them. Answers whether the
 * guard held: where it didn't, what is left is not deleted.
 *
 * @param guard what must hold at each commit, and none of them changes; fewer than MAX_CHECKS
 * @param batchSize values read, and in memory, at once
 */
export async function deleteKeys(
  kv: Deno.Kv,
  selectors: Iterable<Deno.KvListSelector>,
  guard: readonly Deno.AtomicCheck[] = [],
  batchSize: number = LIST_BATCH,
): Promise<boolean> {
  let tally = tallyOf(guard);
  let deletes: Deno.KvKey[] = [];
  for (const selector of selectors) {
    for await (const { key } of kv.list(selector, { batchSize })) {
      if (!tally.add(key, 0)) {
        if (!await deleteGuarded(kv, deletes, guard)) return false;
        tally = tallyOf(guard);
        tally.add(key, 0);
        deletes = [];
      }
      deletes.push(key);
    }
  }
  return deletes.length === 0 || await deleteGuarded(kv, deletes, guard);
}

/**
 * Deletes these keys; answers whether the guard held.
 *
 * @throws {Error} it isn't known to have succeeded
 */
export async function deleteGuarded(
  kv: Deno.Kv,
  deletes: readonly Deno.KvKey[],
  guard: readonly Deno.AtomicCheck[],
): Promise<boolean> {
  const outcome = await commit(kv, { deletes, checks: guard });
  if (outcome.kind === "committed") return true;
  // A lock has a cause.
  if (outcome.kind === "conflict" && outcome.cause === undefined) return false;
  throw new Error("Cannot delete what is no longer of use", { cause: outcome.cause });
}

function mustFit(change: Change): void {
  if (new Tally().addAll(change)) return;
  const { sets = [], deletes = [], checks = [] } = change;
  const bytes = sets.reduce((sum, { size }) => sum + size, 0);
  throw new CommitTooLargeError(
    `Cannot commit a change with ${sets.length} sets of ${bytes} bytes, ` +
      `${deletes.length} deletes and ${checks.length} checks in one operation`,
  );
}

function operationOf(
  kv: Deno.Kv,
  { sets = [], deletes = [], checks = [] }: Change,
): Deno.AtomicOperation {
  const operation = kv.atomic().check(...checks);
  for (const { key, value } of sets) operation.set(key, value);
  for (const key of deletes) operation.delete(key);
  return operation;
}

/** The store's own count was another than ours: nothing was written. */
function isTooLarge(cause: unknown): boolean {
  return cause instanceof TypeError && /^(Total|Value|Key|Too many) .*\(max/.test(cause.message);
}

function isLocked(cause: unknown): boolean {
  return cause instanceof TypeError && cause.message.includes("database is locked");
}
