/**
 * What the store takes. Measured on Deno 2.9.6 and, where lower, as denokv's `limits.rs` has it, so
 * that the same server runs on SQLite, on Deploy and against denokv.
 */

/** One value that is a Uint8Array; "Value too large (max 65536 bytes)". */
export const MAX_VALUE_BYTES = 65_536;

/** Payload of one part of a longer value (chunks.ts): below MAX_VALUE_BYTES with its header. */
export const PART_BYTES = 60_000;

/** Bytes of each part of a blob but the last (blobs.ts): it has no header. */
export const BLOB_PART_BYTES = MAX_VALUE_BYTES;

/** Sets and deletes of one atomic operation; "Too many mutations (max 1000)". */
export const MAX_MUTATIONS = 1000;

/** Checks of one atomic operation: 100 on Deploy and SQLite, 10 on denokv. */
export const MAX_CHECKS = 10;

/**
 * Keys and values of one atomic operation; the store's word is "Total mutation size too large (max
 * 819200 bytes)". The margin is for what the store adds to each mutation and check.
 */
export const MAX_COMMIT_BYTES = 800_000;

/** Full parts of a blob that fit one commit, with their keys: 12, of 786,432 bytes. */
export const BLOB_COMMIT_BYTES = MAX_COMMIT_BYTES - MAX_COMMIT_BYTES % BLOB_PART_BYTES;

/**
 * Keys alone of one atomic operation; the store's word is "Total key size too large (max 81920
 * bytes)", where the docs say 90 KiB.
 */
export const MAX_COMMIT_KEY_BYTES = 80_000;

/** Keys that one getMany takes; "Too many ranges (max 10)". */
export const GET_MANY_KEYS = 10;

/** Keys that one watch takes; "Too many keys (max 10)". */
export const WATCH_KEYS = 10;

/** getMany calls in flight at once: 8 give about six times what 1 gives. */
export const GET_MANY_CALLS = 8;

/**
 * Entries that a list asks for at once, of 1000 allowed: small rows come 3 to 4 times as fast as
 * with 10. At worst (all of them full parts) 30 MB are in memory.
 */
export const LIST_BATCH = 500;

/**
 * A list of what may be long asks for so many first, and from then on for as many as come to
 * LIST_BATCH_BYTES: a client that reads slowly keeps two batches in memory.
 */
export const FIRST_LIST_BATCH = 100;
export const LIST_BATCH_BYTES = 1024 * 1024;

/**
 * What a stored value may become when it is inflated: above all that a request can bring (at most
 * 400 MiB), and below what would end the process.
 */
export const MAX_INFLATED_BYTES = 512 * 1024 * 1024;
