/**
 * Blobs in an S3-compatible store: objects of 8 MiB, `<graph>/<blob>/<number>`.
 *
 * Not one object by a multipart upload: what is left of one that was cut off can't be seen among the
 * objects, and not every server lists it, so a sweep could not be sure to have deleted it.
 */
import { createHash } from "node:crypto";
import { AwsClient } from "aws4fetch";
import { XMLParser } from "fast-xml-parser";
import { z } from "zod";
import type { BlobPlace } from "../protocol/asset.ts";
import { regroup } from "./regroup.ts";
import { type BlobStore, NoBlobStoreError } from "./store.ts";

/** Where the store is, and who we are there. */
export interface S3Settings {
  readonly endpoint: string;
  readonly bucket: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** Bytes of each object of a blob but the last; memory of each upload. */
export const OBJECT_BYTES = 8 * 1024 * 1024;

/** Of a request that was answered with 429 or 5xx: over half a second or so. */
const RETRIES = 4;

/**
 * An answer has to begin by then, that of a list or of a refusal to end: a store that says nothing would
 * hold up the sweep for ever, and with it all sweeps.
 */
const ANSWER_MS = 2 * 60 * 1000;

const keysSchema = z.object({
  ListBucketResult: z.object({
    Contents: z.array(z.object({ Key: z.string() })).default([]),
  }),
});

/** Opens no connection yet. */
export function s3BlobStore(settings: S3Settings, answerMs: number = ANSWER_MS): BlobStore {
  const bucket = new Bucket(settings, answerMs);
  return {
    write: (place, chunks) => write(bucket, place, chunks),
    read: (place, start, end) => read(bucket, place, start, end),
    delete: (place) => deleteBlob(bucket, place),
  };
}

async function write(
  bucket: Bucket,
  place: BlobPlace,
  chunks: AsyncIterable<Uint8Array>,
): Promise<void> {
  let count = 0;
  for await (const bytes of regroup(chunks, OBJECT_BYTES, 1)) {
    await bucket.ask("PUT", objectPath(place, count++), { body: bytes });
  }
}

async function* read(
  bucket: Bucket,
  place: BlobPlace,
  start: number,
  end: number,
): AsyncGenerator<Uint8Array> {
  if (start >= end) return;
  for (let object = Math.floor(start / OBJECT_BYTES); object * OBJECT_BYTES < end; object++) {
    const offset = object * OBJECT_BYTES;
    const first = Math.max(start - offset, 0);
    const last = Math.min(end - offset, OBJECT_BYTES) - 1;
    const range = `bytes=${first}-${last}`;
    const response = await bucket.ask("GET", objectPath(place, object), { headers: { range } });
    // A server may answer with more than the range (RFC 9110 §14.2).
    let position = response.status === 206 ? first : 0;
    let bytes = 0;
    for await (const piece of response.body ?? []) {
      const from = Math.max(first - position, 0);
      const wanted = piece.subarray(from, Math.max(last + 1 - position, from));
      position += piece.length;
      bytes += wanted.length;
      if (wanted.length > 0) yield wanted;
      if (position > last) break;
    }
    if (bytes !== last - first + 1) {
      throw new Error(`Cannot read a blob as it has ${bytes} of ${last - first + 1} bytes`);
    }
  }
}

async function deleteBlob(bucket: Bucket, place: BlobPlace): Promise<void> {
  for (;;) {
    const paths = await bucket.pathsBelow(blobPrefix(place));
    if (paths.length === 0) return;
    for (const path of paths) await bucket.ask("DELETE", path);
  }
}

function blobPrefix({ graph, blob }: BlobPlace): string {
  return `/${graph}/${blob}/`;
}

function objectPath(place: BlobPlace, object: number): string {
  return blobPrefix(place) + object;
}

/** Signed requests to one bucket; only good answers come back. */
class Bucket {
  readonly #client: AwsClient;
  readonly #url: string;
  readonly #answerMs: number;
  readonly #xml = new XMLParser({
    parseTagValue: false,
    isArray: (name) => name === "Contents",
  });

  constructor(
    { endpoint, bucket, region, accessKeyId, secretAccessKey }: S3Settings,
    answerMs: number,
  ) {
    this.#answerMs = answerMs;
    this.#client = new AwsClient({
      accessKeyId,
      secretAccessKey,
      region,
      service: "s3",
      retries: RETRIES,
    });
    this.#url = `${endpoint.replace(/\/+$/, "")}/${encodeURIComponent(bucket)}`;
  }

  /**
   * @param path of an object, from its slash on, or a query of the bucket
   * @throws {NoBlobStoreError} the store can't be reached, has no such bucket, or lets us not in
   * @throws {Error} any other answer that is not a good one
   */
  async ask(
    method: "GET" | "PUT" | "DELETE",
    path: string,
    { body, headers, signal }: {
      body?: Uint8Array<ArrayBuffer>;
      headers?: Record<string, string>;
      signal?: AbortSignal;
    } = {},
  ): Promise<Response> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), this.#answerMs);
    const sha256 = createHash("sha256").update(body ?? "").digest("hex");
    try {
      const response = await this.#client.fetch(this.#url + path, {
        method,
        headers: { ...headers, "x-amz-content-sha256": sha256 },
        ...body !== undefined && { body },
        signal: signal ?? late.signal,
      }).catch(unreachable);
      if (response.ok) {
        if (method !== "GET") await response.body?.cancel();
        return response;
      }
      const text = await response.text().catch(unreachable);
      const reason = `status ${response.status}, ${text.slice(0, 500)}`;
      const message = `Cannot ${method} an object: ${reason}`;
      if (response.status === 403 || text.includes("NoSuchBucket")) {
        throw new NoBlobStoreError(message);
      }
      throw new Error(message);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Paths of up to 1000 objects that begin so. */
  async pathsBelow(prefix: string): Promise<readonly string[]> {
    const query = new URLSearchParams({ "list-type": "2", prefix: prefix.slice(1) });
    const signal = AbortSignal.timeout(this.#answerMs);
    const response = await this.ask("GET", `?${query}`, { signal });
    const answer = keysSchema.parse(this.#xml.parse(await response.text()));
    return answer.ListBucketResult.Contents.map(({ Key }) => `/${Key}`);
  }
}

function unreachable(cause: unknown): never {
  throw new NoBlobStoreError("Cannot reach the S3 store", { cause });
}
