/** Files beside a graph's database: what a client says of one, and by what names its bytes are kept. */
import type { BlobId, GraphId } from "./ids.ts";

/** A file may have this many bytes; one more is refused with 413 (protocol.md §2). */
export const MAX_ASSET_BYTES = 100 * 1024 * 1024;

/** The same for a file of an encrypted graph: ciphertext in Transit takes more (upstream.md §1.7). */
const MAX_ENCRYPTED_ASSET_BYTES = 2 * MAX_ASSET_BYTES;

export function maxAssetBytes(e2ee: boolean): number {
  return e2ee ? MAX_ENCRYPTED_ASSET_BYTES : MAX_ASSET_BYTES;
}

/** Longer texts in these headers are taken for none: they are kept with the file's name. */
const MAX_HEADER_CHARACTERS = 1024;

const SHA256_HEX = /^[0-9a-f]{64}$/i;
const DIGITS = /^[0-9]{1,15}$/;

/** Kinds of blob stores. Written down with each file, as the server may change to another one. */
export const storeNames = ["kv", "s3"] as const;
export type StoreName = (typeof storeNames)[number];

/** Which blob is meant: the bytes of one upload, never changed. */
export interface BlobPlace {
  readonly graph: GraphId;
  readonly blob: BlobId;
}

/** What a client says of a file that it sends. */
export interface AssetHeaders {
  readonly contentType?: string;
  /** `x-amz-meta-checksum` as it came. */
  readonly checksum?: string;
  /**
   * The same, if it is the SHA-256 of the bytes: 64 hex digits, lower case. Of an encrypted graph's
   * file it is that of what was encrypted, which the server never sees (upstream.md §1.15).
   */
  readonly sha256?: string;
  /** Bytes that the client is about to send. */
  readonly length?: number;
}

/** @param e2ee whether the file is an encrypted graph's */
export function parseAssetHeaders(headers: Headers, e2ee: boolean): AssetHeaders {
  const contentType = short(headers.get("content-type"));
  const checksum = short(headers.get("x-amz-meta-checksum"));
  const length = headers.get("content-length") ?? "";
  return {
    ...contentType !== undefined && { contentType },
    ...checksum !== undefined && { checksum },
    ...checksum !== undefined && !e2ee && SHA256_HEX.test(checksum) &&
      { sha256: checksum.toLowerCase() },
    ...DIGITS.test(length) && { length: Number(length) },
  };
}

function short(text: string | null): string | undefined {
  return text === null || text === "" || text.length > MAX_HEADER_CHARACTERS ? undefined : text;
}
