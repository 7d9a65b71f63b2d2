/**
 * The messages of KV Connect's data path as bytes: what a server reads of requests, and what it
 * writes as answers. Field numbers are those of denokv's `datapath.proto`.
 */
import { BinaryReader, BinaryWriter, type WireType } from "@bufbuild/protobuf/wire";

/** A key as the store orders it: the bytes that Deno's client made of its parts. */
export type KeyBytes = Uint8Array;

/** Bytes of a value, and the number of the encoding by which the client knows what they are. */
export interface StoredValue {
  readonly data: Uint8Array;
  readonly encoding: number;
}

export interface StoredEntry extends StoredValue {
  readonly key: KeyBytes;
  readonly versionstamp: Uint8Array;
}

/** Keys with start ≤ key < end, at most `limit` of them, from the end on if `reverse`. */
export interface ReadRange {
  readonly start: KeyBytes;
  readonly end: KeyBytes;
  readonly limit: number;
  readonly reverse: boolean;
}

/** No bytes of a versionstamp say that there is no such key. */
export interface Check {
  readonly key: KeyBytes;
  readonly versionstamp: Uint8Array;
}

/** `MutationType`, as far as the tests' server knows it. */
export const MUTATION = { set: 1, delete: 2, sum: 3, max: 4, min: 5 } as const;

/** `ValueEncoding` of a 64-bit number, little-endian: what sum, max and min work on. */
export const ENCODING_LE64 = 2;

export interface Mutation {
  readonly key: KeyBytes;
  readonly value: StoredValue;
  readonly type: number;
}

export interface AtomicWrite {
  readonly checks: readonly Check[];
  readonly mutations: readonly Mutation[];
}

/** A commit's versionstamp, or which of the checks failed. */
export type WriteOutcome =
  | { readonly ok: true; readonly versionstamp: Uint8Array }
  | { readonly ok: false; readonly failedChecks: readonly number[] };

/** Of a watched key: that it is as the frame before said, or what it is now. */
export type WatchedKey =
  | { readonly changed: false }
  | { readonly changed: true; readonly entry: StoredEntry | undefined };

const NO_BYTES: Uint8Array = new Uint8Array();
const STATUS_SUCCESS = 1;
const STATUS_CHECK_FAILURE = 2;

/** Calls `field` for each field of a message; it reads it, or answers `false` to have it skipped. */
function readFields(
  bytes: Uint8Array,
  field: (number: number, reader: BinaryReader) => unknown,
): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [number, type]: [number, WireType] = reader.tag();
    if (field(number, reader) === false) reader.skip(type, number);
  }
}

/** @throws {Error} not a message of this kind, as for all that read */
export function readSnapshotRead(bytes: Uint8Array): readonly ReadRange[] {
  const ranges: ReadRange[] = [];
  readFields(bytes, (number, reader) => number === 1 && ranges.push(readRange(reader.bytes())));
  return ranges;
}

function readRange(bytes: Uint8Array): ReadRange {
  let [start, end, limit, reverse] = [NO_BYTES, NO_BYTES, 0, false];
  readFields(bytes, (number, reader) => {
    if (number === 1) start = reader.bytes();
    else if (number === 2) end = reader.bytes();
    else if (number === 3) limit = reader.int32();
    else if (number === 4) reverse = reader.bool();
    else return false;
  });
  return { start, end, limit, reverse };
}

export function readAtomicWrite(bytes: Uint8Array): AtomicWrite {
  const checks: Check[] = [];
  const mutations: Mutation[] = [];
  readFields(bytes, (number, reader) => {
    if (number === 1) checks.push(readCheck(reader.bytes()));
    else if (number === 2) mutations.push(readMutation(reader.bytes()));
    else return false;
  });
  return { checks, mutations };
}

function readCheck(bytes: Uint8Array): Check {
  let [key, versionstamp] = [NO_BYTES, NO_BYTES];
  readFields(bytes, (number, reader) => {
    if (number === 1) key = reader.bytes();
    else if (number === 2) versionstamp = reader.bytes();
    else return false;
  });
  return { key, versionstamp };
}

function readMutation(bytes: Uint8Array): Mutation {
  let [key, value, type] = [NO_BYTES, NO_BYTES, 0];
  readFields(bytes, (number, reader) => {
    if (number === 1) key = reader.bytes();
    else if (number === 2) value = reader.bytes();
    else if (number === 3) type = reader.int32();
    else return false;
  });
  return { key, value: readValue(value), type };
}

function readValue(bytes: Uint8Array): StoredValue {
  let [data, encoding] = [NO_BYTES, 0];
  readFields(bytes, (number, reader) => {
    if (number === 1) data = reader.bytes();
    else if (number === 2) encoding = reader.int32();
    else return false;
  });
  return { data, encoding };
}

export function readWatch(bytes: Uint8Array): readonly KeyBytes[] {
  const keys: KeyBytes[] = [];
  readFields(bytes, (number, reader) => number === 1 && keys.push(readWatchKey(reader.bytes())));
  return keys;
}

function readWatchKey(bytes: Uint8Array): KeyBytes {
  let key = NO_BYTES;
  readFields(bytes, (number, reader) => {
    if (number !== 1) return false;
    key = reader.bytes();
  });
  return key;
}

/** `SnapshotReadOutput`: what each of the ranges has. */
export function writeSnapshotReadOutput(
  ranges: readonly (readonly StoredEntry[])[],
): Uint8Array<ArrayBuffer> {
  const writer = new BinaryWriter();
  for (const entries of ranges) {
    writer.uint32(tagOf(1, LENGTH_DELIMITED)).fork();
    for (const entry of entries) writeEntry(writer, 1, entry);
    writer.join();
  }
  writer.uint32(tagOf(4, VARINT)).bool(true); // Read strongly.
  writer.uint32(tagOf(8, VARINT)).int32(STATUS_SUCCESS);
  return writer.finish();
}

/** `AtomicWriteOutput`. */
export function writeAtomicWriteOutput(outcome: WriteOutcome): Uint8Array<ArrayBuffer> {
  const writer = new BinaryWriter();
  if (outcome.ok) {
    writer.uint32(tagOf(1, VARINT)).int32(STATUS_SUCCESS);
    writer.uint32(tagOf(2, LENGTH_DELIMITED)).bytes(outcome.versionstamp);
  } else {
    writer.uint32(tagOf(1, VARINT)).int32(STATUS_CHECK_FAILURE);
    for (const index of outcome.failedChecks) writer.uint32(tagOf(4, VARINT)).uint32(index);
  }
  return writer.finish();
}

/** `WatchOutput`, framed: its length as 4 bytes, little-endian, before it. */
export function writeWatchFrame(keys: readonly WatchedKey[]): Uint8Array<ArrayBuffer> {
  const writer = new BinaryWriter();
  writer.uint32(tagOf(1, VARINT)).int32(STATUS_SUCCESS);
  for (const key of keys) {
    writer.uint32(tagOf(2, LENGTH_DELIMITED)).fork();
    if (key.changed) {
      writer.uint32(tagOf(1, VARINT)).bool(true);
      if (key.entry !== undefined) writeEntry(writer, 2, key.entry);
    }
    writer.join();
  }
  const message = writer.finish();
  return new BinaryWriter().fixed32(message.length).raw(message).finish();
}

function writeEntry(writer: BinaryWriter, field: number, entry: StoredEntry): void {
  writer.uint32(tagOf(field, LENGTH_DELIMITED)).fork();
  writer.uint32(tagOf(1, LENGTH_DELIMITED)).bytes(entry.key);
  writer.uint32(tagOf(2, LENGTH_DELIMITED)).bytes(entry.data);
  writer.uint32(tagOf(3, VARINT)).int32(entry.encoding);
  writer.uint32(tagOf(4, LENGTH_DELIMITED)).bytes(entry.versionstamp);
  writer.join();
}

const VARINT: WireType.Varint = 0;
const LENGTH_DELIMITED: WireType.LengthDelimited = 2;

function tagOf(field: number, type: WireType): number {
  return field << 3 | type;
}
