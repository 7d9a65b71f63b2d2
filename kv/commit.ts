/**
 * The way into the store: sets and deletes, guarded, counted, in one atomic operation each. What
 * can't be known of a commit (the connection broke) is an outcome here, and the caller's to settle.
 */
import {
  LIST_BATCH,
  MAX_CHECKS,
  MAX_COMMIT_BYTES,
  MAX_COMMIT_KEY_BYTES,
  MAX_MUTATIONS,
  MAX_VALUE_BYTES,
} from "./limits.ts";

/** One value to be set. */
export interface KvSet {
  readonly key: Deno.KvKey;
  readonly value: unknown;
  /** Bytes of the value, for counting; an upper bound where it isn't bytes. */
  readonly size: number;
}

/** What one commit does: all of it or nothing. Of sets with the same key the last one counts. */
export interface Change {
  readonly sets: readonly KvSet[];
  readonly deletes: readonly Deno.KvKey[];
  /** What must still be so, beside the guard of whoever commits; fewer than MAX_CHECKS. */
  readonly checks?: readonly Deno.AtomicCheck[];
}

/**
 * `conflict`: a check failed, or the database stayed locked. What failed it may be this very change:
 * over KV Connect Deno's client tries again by itself what went through with its answer lost. So if
 * the change sets or deletes what it checks, only reading tells whether it was written.
 * `unknown`: it may have been written or not, and only reading tells.
 */
export type Outcome =
  | { readonly kind: "committed"; readonly versionstamp: string }
  | { readonly kind: "conflict" }
  | { readonly kind: "unknown"; readonly cause: unknown };

const observers = new WeakMap<Deno.Kv, (outcome: Outcome["kind"]) => void>();

/** From now on the observer is told of every commit through this handle; it may not throw. */
export function observeCommits(kv: Deno.Kv, observer: (outcome: Outcome["kind"]) => void): void {
  observers.set(kv, observer);
}

/** A change is more than one commit can hold, or a value more than the store takes. */
export class CommitTooLargeError extends RangeError {
  override readonly name: string = "CommitTooLargeError";
}

/** A database that stays locked for longer is a conflict. */
const LOCKED_FOR_MS = 2000;

/** A set of bytes. */
export function bytesSet(key: Deno.KvKey, bytes: Uint8Array): KvSet {
  return { key, value: bytes, size: bytes.length };
}

/** A set of a small plain object, string, number or boolean. */
export function objectSet(key: Deno.KvKey, value: unknown): KvSet {
  // The store serialises as V8 does: 2 bytes a unit at worst, and up to 9 where JSON has a digit.
  return { key, value, size: 4 * JSON.stringify(value).length + 16 };
}

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
  const outcome = await tryCommit(kv, change, performance.now() + lockedForMs);
  observers.get(kv)?.(outcome.kind);
  return outcome;
}

async function tryCommit(kv: Deno.Kv, change: Change, deadline: number): Promise<Outcome> {
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
      if (performance.now() >= deadline) return { kind: "conflict" };
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
  throw new Error(
    "Cannot commit a change",
    outcome.kind === "unknown" ? { cause: outcome.cause } : undefined,
  );
}

/**
 * Writes sets in as few commits as the limits allow, each of them guarded: atomic are the commits,
 * not the whole. So it is for what nothing refers to yet. Without sets the guard alone is checked.
 *
 * Stops at the first commit that doesn't succeed, with its outcome. They are made one after the
 * other, but the sets of the next are taken while one is under way: so what it costs to make them
 * is hidden behind the store's work.
 *
 * @param sets only as many as fill two commits are taken, and in memory, at a time
 * @param guard what must hold at each commit; fewer than MAX_CHECKS
 */
export async function writeInCommits(
  kv: Deno.Kv,
  sets: Iterable<KvSet> | AsyncIterable<KvSet>,
  guard: readonly Deno.AtomicCheck[] = [],
): Promise<Outcome> {
  // Nothing keeps the first from being made.
  let underWay: Promise<Outcome> = Promise.resolve({ kind: "committed", versionstamp: "" });
  try {
    for await (const batch of fullBatches(sets, guard)) {
      const outcome = await underWay;
      if (outcome.kind !== "committed") return outcome;
      underWay = commit(kv, { sets: batch, deletes: [], checks: guard });
    }
    return await underWay;
  } finally {
    // Where making sets has thrown: nothing is written any more once that is told.
    await underWay.catch(() => {});
  }
}

/** Each as full as one commit may be, but the last, which is there in any case. */
async function* fullBatches(
  sets: Iterable<KvSet> | AsyncIterable<KvSet>,
  guard: readonly Deno.AtomicCheck[],
): AsyncGenerator<readonly KvSet[]> {
  const tally = new Tally(guard);
  let batch: KvSet[] = [];
  for await (const set of sets) {
    if (!tally.add(set.key, set.size)) {
      yield batch;
      tally.clear();
      tally.add(set.key, set.size);
      batch = [];
    }
    batch.push(set);
  }
  yield batch;
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
 * The same for all keys that selectors find, in commits that are full across them.
 *
 * @param batchSize values read, and in memory, at once
 */
export async function deleteKeys(
  kv: Deno.Kv,
  selectors: Iterable<Deno.KvListSelector>,
  batchSize: number = LIST_BATCH,
): Promise<void> {
  const tally = new Tally();
  let deletes: Deno.KvKey[] = [];
  for (const selector of selectors) {
    for await (const { key } of kv.list(selector, { batchSize })) {
      if (!tally.add(key, 0)) {
        await commitOrThrow(kv, { sets: [], deletes });
        tally.clear();
        tally.add(key, 0);
        deletes = [];
      }
      deletes.push(key);
    }
  }
  if (deletes.length > 0) await commitOrThrow(kv, { sets: [], deletes });
}

/** Counts what one commit may hold. */
class Tally {
  #mutations = 0;
  #bytes = 0;
  #keyBytes = 0;

  constructor(private readonly checks: readonly Deno.AtomicCheck[] = []) {
    this.clear();
  }

  /** Counts a mutation, unless it doesn't fit beside the others. */
  add(key: Deno.KvKey, size: number): boolean {
    const keyBytes = keySize(key);
    const fits = size <= MAX_VALUE_BYTES &&
      this.#mutations < MAX_MUTATIONS &&
      this.#bytes + 2 * keyBytes + size <= MAX_COMMIT_BYTES &&
      this.#keyBytes + keyBytes <= MAX_COMMIT_KEY_BYTES;
    if (!fits) return false;
    this.#mutations++;
    // The store counts a key twice here.
    this.#bytes += 2 * keyBytes + size;
    this.#keyBytes += keyBytes;
    return true;
  }

  clear(): void {
    this.#mutations = 0;
    this.#keyBytes = this.checks.reduce((sum, { key }) => sum + keySize(key), 0);
    this.#bytes = 2 * this.#keyBytes;
  }
}

function mustFit(change: Change): void {
  const checks = change.checks ?? [];
  if (checks.length > MAX_CHECKS) {
    throw new CommitTooLargeError(`Cannot commit a change with ${checks.length} checks`);
  }
  const tally = new Tally(checks);
  const fits = change.sets.every(({ key, size }) => tally.add(key, size)) &&
    change.deletes.every((key) => tally.add(key, 0));
  if (fits) return;
  const bytes = change.sets.reduce((sum, { size }) => sum + size, 0);
  throw new CommitTooLargeError(
    `Cannot commit a change with ${change.sets.length} sets of ${bytes} bytes ` +
      `and ${change.deletes.length} deletes in one operation`,
  );
}

function operationOf(kv: Deno.Kv, change: Change): Deno.AtomicOperation {
  const operation = kv.atomic().check(...change.checks ?? []);
  for (const { key, value } of change.sets) operation.set(key, value);
  for (const key of change.deletes) operation.delete(key);
  return operation;
}

/** Bytes of a key in the store: one to tell the kind of each part, one to end it, NUL doubled. */
export function keySize(key: Deno.KvKey): number {
  let size = 0;
  for (const part of key) {
    if (typeof part === "string") size += 2 + textSize(part);
    else if (part instanceof Uint8Array) {
      size += 2 + part.length + part.filter((b) => b === 0).length;
    } // Of a bigint more, but no key of ours has one.
    else size += 9;
  }
  return size;
}

/** Bytes of a text as UTF-8, NUL doubled. Counted here, as an encoder takes 5 µs for a row's key. */
function textSize(text: string): number {
  let size = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit === 0) size += 2;
    else if (unit < 0x80) size += 1;
    // Each half of a pair counts two, of the four bytes that it is.
    else if (unit < 0x800 || (unit >= 0xd800 && unit < 0xe000)) size += 2;
    else size += 3;
  }
  return size;
}

/** The store's own count was another than ours: nothing was written. */
function isTooLarge(cause: unknown): boolean {
  return cause instanceof TypeError && /^(Total|Value|Key|Too many) .*\(max/.test(cause.message);
}

function isLocked(cause: unknown): boolean {
  return cause instanceof TypeError && cause.message.includes("database is locked");
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
