/** What one commit does, how much that is, and what came of it. */
import {
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
  /** Nobody may see the set that follows without it. */
  readonly isBeforeNext?: true;
}

/** What one commit does: all of it or nothing. Of sets with the same key the last one counts. */
export interface Change {
  readonly sets?: readonly KvSet[];
  readonly deletes?: readonly Deno.KvKey[];
  /** What must still be so, beside the guard of whoever commits; fewer than MAX_CHECKS. */
  readonly checks?: readonly Deno.AtomicCheck[];
}

/**
 * `conflict`: a check failed, or the database stayed locked. What failed it may be this very change:
 * over KV Connect Deno's client tries again by itself what went through with its answer lost. So if
 * the change sets or deletes what it checks, only reading tells whether it was written.
 * Its cause is the lock, if it was that.
 * `unknown`: it may have been written or not, and only reading tells.
 */
export type Outcome =
  | { readonly kind: "committed"; readonly versionstamp: string }
  | { readonly kind: "conflict"; readonly cause?: unknown }
  | { readonly kind: "unknown"; readonly cause: unknown };

/** A change that wasn't made, or of which that isn't known. */
export type NotCommitted = Exclude<Outcome, { readonly kind: "committed" }>;

/** A set of bytes. */
export function bytesSet(key: Deno.KvKey, bytes: Uint8Array): KvSet {
  return { key, value: bytes, size: bytes.length };
}

/** A set of a small plain object, string, number or boolean. */
export function objectSet(key: Deno.KvKey, value: unknown): KvSet {
  // The store serialises as V8 does: 2 bytes a unit at worst, and up to 9 where JSON has a digit.
  return { key, value, size: 4 * JSON.stringify(value).length + 16 };
}

/** Holds as long as the entry is as it was read. */
export function checkOf({ key, versionstamp }: Deno.KvEntryMaybe<unknown>): Deno.AtomicCheck {
  return { key, versionstamp };
}

/** Counts what one commit may hold. */
export class Tally {
  #checks = 0;
  #mutations = 0;
  #bytes = 0;
  #keyBytes = 0;

  /** Counts a set, or of size 0 a delete, unless it doesn't fit beside the others. */
  add(key: Deno.KvKey, size: number): boolean {
    if (size > MAX_VALUE_BYTES || this.#mutations === MAX_MUTATIONS) return false;
    if (!this.#take(keySize(key), size)) return false;
    this.#mutations++;
    return true;
  }

  /** Counts checks, unless they don't fit. */
  addChecks(checks: readonly Deno.AtomicCheck[]): boolean {
    if (this.#checks + checks.length > MAX_CHECKS) return false;
    if (!checks.every(({ key }) => this.#take(keySize(key), 0))) return false;
    this.#checks += checks.length;
    return true;
  }

  /** Counts all of a change, unless it doesn't fit: then there is no more to be counted. */
  addAll({ sets = [], deletes = [], checks = [] }: Change): boolean {
    return this.addChecks(checks) &&
      sets.every(({ key, size }) => this.add(key, size)) &&
      deletes.every((key) => this.add(key, 0));
  }

  #take(keyBytes: number, size: number): boolean {
    // The store counts a key twice here.
    const bytes = this.#bytes + 2 * keyBytes + size;
    const allKeyBytes = this.#keyBytes + keyBytes;
    if (bytes > MAX_COMMIT_BYTES || allKeyBytes > MAX_COMMIT_KEY_BYTES) return false;
    this.#bytes = bytes;
    this.#keyBytes = allKeyBytes;
    return true;
  }
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
