/** A file's bytes as they come in: counted, hashed, and refused as soon as they are too many. */
import { createHash } from "node:crypto";
import type { ErrorWord } from "../protocol/errors.ts";
import { byteReader } from "./byte_reader.ts";

/**
 * Why an upload is refused; nothing of it is kept. `invalid body`: the client was cut off. `forbidden`,
 * `not found`: its sender could have it stored when it began, but not any more.
 */
export type UploadRefusal = Extract<
  ErrorWord,
  "asset too large" | "checksum mismatch" | "invalid body" | "forbidden" | "not found"
>;

/** Thrown through whoever takes the bytes, to end his work. */
export class UploadRefusedError extends Error {
  override readonly name = "UploadRefusedError";

  constructor(readonly refusal: UploadRefusal, options?: ErrorOptions) {
    super(`Cannot take a file: ${refusal}`, options);
  }
}

/** What is promised of the bytes. */
export interface Expected {
  readonly maxBytes: number;
  readonly length?: number | undefined;
  /** Hex, lower case. */
  readonly sha256?: string | undefined;
}

/** What was seen of the bytes once all were. */
export interface Seen {
  readonly size: number;
  readonly sha256: string;
}

export class Intake {
  readonly #hash = createHash("sha256");
  #seen: Seen | undefined;

  constructor(private readonly expected: Expected) {
    if (expected.length !== undefined && expected.length > expected.maxBytes) {
      throw new UploadRefusedError("asset too large");
    }
  }

  /** What came; known when `checked` has ended. */
  get seen(): Seen {
    if (this.#seen === undefined) throw new Error("Cannot tell what came before all has");
    return this.#seen;
  }

  /**
   * The bytes in pieces, each valid until the next one is asked for. Ends well only if all that was
   * promised of them is true.
   *
   * @throws {UploadRefusedError}
   */
  async *checked(body: ReadableStream<Uint8Array> | null): AsyncGenerator<Uint8Array> {
    let size = 0;
    for await (const piece of read(body)) {
      size += piece.length;
      if (size > this.expected.maxBytes) throw new UploadRefusedError("asset too large");
      this.#hash.update(piece);
      yield piece;
    }
    const sha256 = this.#hash.digest("hex");
    const { length = size, sha256: promised = sha256 } = this.expected;
    if (length !== size) throw new UploadRefusedError("invalid body");
    if (promised !== sha256) throw new UploadRefusedError("checksum mismatch");
    this.#seen = { size, sha256 };
  }
}

/** Deno reads bodies in pieces of this size, too. */
const READ_BYTES = 64 * 1024;

/**
 * A body's bytes.
 *
 * @throws {UploadRefusedError} the connection broke before the end
 */
async function* read(body: ReadableStream<Uint8Array> | null): AsyncGenerator<Uint8Array> {
  const reader = body === null ? undefined : openReader(body);
  if (reader === undefined) return;
  try {
    for (;;) {
      const piece = await reader.read().catch((cause: unknown) => {
        throw new UploadRefusedError("invalid body", { cause });
      });
      if (piece === undefined) return;
      yield piece;
    }
  } finally {
    // Lets go of the stream where whoever takes the pieces has left; else it has ended already.
    await reader.cancel().catch(() => {});
  }
}

interface Reader {
  readonly read: () => Promise<Uint8Array | undefined>;
  readonly cancel: () => Promise<void>;
}

/** Reads into the same memory again and again (see regroup.ts), where the stream can. */
function openReader(body: ReadableStream<Uint8Array>): Reader {
  const reader = byteReader(body);
  if (reader === undefined) {
    const plain = body.getReader();
    return { read: async () => (await plain.read()).value, cancel: () => plain.cancel() };
  }
  let memory = new ArrayBuffer(READ_BYTES);
  return {
    read: async () => {
      const { done, value } = await reader.read(new Uint8Array(memory));
      if (done || value === undefined) return undefined;
      memory = value.buffer;
      return value;
    },
    cancel: () => reader.cancel(),
  };
}
