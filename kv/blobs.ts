/**
 * Blobs in KV: parts of 64 KiB, as they are. What comes as a file is compressed already, or is
 * wanted from the middle; and whether the bytes are right is told by their SHA-256, kept elsewhere.
 */
import type { BlobPlace } from "../protocol/asset.ts";
import { CorruptValueError, parsePart } from "./chunks.ts";
import { bytesSet, type KvSet } from "./change.ts";
import { commit, deleteKeys } from "./commit.ts";
import { blobKey, blobPartsRange, blobPrefix, parseBlobKey } from "./keys.ts";
import { BLOB_PART_BYTES } from "./limits.ts";
import { looseGuard, readLoose } from "./loose.ts";

/** Parts read at once; as many again are read ahead: 1 MiB in memory for each reader. */
const READ_PARTS = 8;

/**
 * Parts are handed on in copies of this size, and given back at once: the collector lets 64 MiB of
 * such memory come together, but looks often at what is small and young. A server grew by 31 MiB
 * while a file of 100 MiB went up and down, and by less with the semi-space of deno.json's tasks;
 * with whole parts it was 85.
 */
const PIECE_BYTES = 8 * 1024;

/** How often a commit is tried: a lease that is renewed meanwhile makes it fail once. */
const ATTEMPTS = 20;

/** The upload was ended: its marker is gone, or is another's. */
export class UploadEndedError extends Error {
  override readonly name = "UploadEndedError";
}

/**
 * Stores a blob's bytes, as many in a commit as fit, each commit guarded by the upload's marker.
 *
 * @param commits of BLOB_COMMIT_BYTES, but the last. The next but one is asked for when a chunk is
 * committed, so two have to be valid at a time
 * @throws {UploadEndedError} no more is written, and what was is the sweep's
 * @throws whatever `commits` throws, when no commit is on its way any more
 */
export async function writeBlob(
  kv: Deno.Kv,
  place: BlobPlace,
  commits: AsyncIterable<Uint8Array>,
): Promise<void> {
  let underWay: Promise<void> = Promise.resolve();
  let part = 0;
  try {
    for await (const bytes of commits) {
      await underWay;
      const sets = partSets(place, part, bytes);
      underWay = writeParts(kv, place, sets);
      // It is awaited before the next one; until then a failure is not an unhandled one.
      underWay.catch(() => {});
      part += sets.length;
    }
    await underWay;
  } finally {
    await Promise.allSettled([underWay]);
  }
}

function partSets(place: BlobPlace, first: number, bytes: Uint8Array): KvSet[] {
  const sets: KvSet[] = [];
  for (let start = 0; start < bytes.length; start += BLOB_PART_BYTES) {
    const part = bytes.subarray(start, start + BLOB_PART_BYTES);
    sets.push(bytesSet(blobKey(place, first + sets.length), part));
  }
  return sets;
}

async function writeParts(kv: Deno.Kv, place: BlobPlace, sets: readonly KvSet[]): Promise<void> {
  let cause: unknown;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const loose = await readLoose(kv, place);
    if (loose?.why !== "upload") throw new UploadEndedError("Cannot store more of a blob");
    const outcome = await commit(kv, { sets, checks: [looseGuard(loose)] });
    if (outcome.kind === "committed") return;
    // Parts are the same however often they are written.
    cause = outcome.cause ?? cause;
  }
  throw new Error(`Cannot store parts of a blob after ${ATTEMPTS} attempts`, { cause });
}

/**
 * The blob's bytes with start ≤ i < end, in pieces of up to 8 KiB.
 *
 * Cost: one read for 8 parts, the next one made while these are taken.
 *
 * @throws {CorruptValueError} a part is missing or too short: the blob was deleted meanwhile, or
 * the store has lost something; the bytes before it have been yielded
 */
export async function* readBlob(
  kv: Deno.Kv,
  place: BlobPlace,
  start: number,
  end: number,
): AsyncGenerator<Uint8Array> {
  const endPart = Math.ceil(end / BLOB_PART_BYTES);
  let part = Math.floor(start / BLOB_PART_BYTES);
  let ahead = readParts(kv, place, part, endPart);
  while (part < endPart) {
    const parts = await ahead;
    const next = Math.min(part + READ_PARTS, endPart);
    ahead = readParts(kv, place, next, endPart);
    // If the reader leaves before it is awaited, nobody has to hear of its failure.
    ahead.catch(() => {});
    for (; part < next; part++) {
      const offset = part * BLOB_PART_BYTES;
      const from = Math.max(start - offset, 0);
      const to = Math.min(end - offset, BLOB_PART_BYTES);
      const bytes = parts.get(part)?.subarray(from, to);
      if (bytes?.length !== to - from) {
        throw new CorruptValueError(`Cannot read part ${part} of blob ${place.blob}`);
      }
      for (let i = 0; i < bytes.length; i += PIECE_BYTES) yield bytes.slice(i, i + PIECE_BYTES);
      giveBack(bytes);
    }
  }
}

async function readParts(
  kv: Deno.Kv,
  place: BlobPlace,
  first: number,
  end: number,
): Promise<ReadonlyMap<number, Uint8Array>> {
  const parts = new Map<number, Uint8Array>();
  if (first >= end) return parts;
  const range = blobPartsRange(place, first, Math.min(first + READ_PARTS, end));
  for await (const { key, value } of kv.list<unknown>(range, { batchSize: READ_PARTS })) {
    const found = parseBlobKey(key);
    if (found !== undefined) parts.set(found.part, parsePart(value));
  }
  return parts;
}

/** Frees memory that nobody reads any more, if all of it is this part's. */
function giveBack({ buffer }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength <= BLOB_PART_BYTES) buffer.transfer(0);
}

/** Deletes all parts that there are. Idempotent. Reads them, as the store has no list of keys alone. */
export async function deleteBlob(kv: Deno.Kv, place: BlobPlace): Promise<void> {
  await deleteKeys(kv, [{ prefix: blobPrefix(place) }], [], READ_PARTS);
}
