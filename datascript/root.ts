/** The root row and the tail row (datascript.md §2): what opens a database, and what closes it. */

import { type Datom, decodeDatom, encodeDatom, keywordMap, keywordOf } from "./datom.ts";
import { Db } from "./db.ts";
import { withDatoms } from "./draft.ts";
import { CorruptRowError } from "./errors.ts";
import { type Index, INDEXES } from "./order.ts";
import { Schema } from "./schema.ts";
import type { NodeSource } from "./source.ts";
import type { Root, Trees } from "./stored.ts";
import { decode, encode, encodeWithoutCache } from "./transit.ts";
import { BRANCHING_FACTOR, type Tree } from "./tree.ts";
import { isVector, MapValue, type Value } from "./value.ts";

/** @throws {CorruptRowError | TransitError} the text is no root */
export function decodeRoot(content: string): Root {
  const map = decode(content);
  if (!(map instanceof MapValue)) throw new CorruptRowError("Cannot read a root: it is no map");
  return {
    schema: Schema.decode(map.get("schema") ?? null),
    trees: {
      eavt: decodeTree(map, "eavt"),
      aevt: decodeTree(map, "aevt"),
      avet: decodeTree(map, "avet"),
    },
    maxEid: integerIn(map, "max-eid"),
    maxTx: integerIn(map, "max-tx"),
    maxAddr: integerIn(map, "max-addr"),
  };
}

/** @param addresses of the three trees' root nodes, all of which are stored */
export function encodeRoot(root: Root, addresses: Readonly<Record<Index, number>>): string {
  const metadata = ({ count, shift }: Tree): MapValue => keywordMap({ count, shift });
  return encode(keywordMap({
    "schema": root.schema.encode(),
    "max-eid": root.maxEid,
    "max-tx": root.maxTx,
    ...addresses,
    ...Object.fromEntries(
      INDEXES.map((index) => [`${index}-metadata`, metadata(root.trees[index])]),
    ),
    "max-addr": root.maxAddr,
    "branching-factor": BRANCHING_FACTOR,
    "ref-type": keywordOf("strong"),
  }));
}

/** The transactions of a tail, each with its datoms in order. @throws {CorruptRowError | TransitError} */
export function decodeTail(content: string): readonly (readonly Datom[])[] {
  return vector(decode(content)).map((tx) => vector(tx).map(decodeDatom));
}

/** The datoms of one transaction, as encodeTailTx wrote them. @throws {CorruptRowError | TransitError} */
export function decodeTailTx(transit: string): readonly Datom[] {
  return vector(decode(transit)).map(decodeDatom);
}

/** One transaction of a tail. Such texts can be joined: see encodeTail. */
export function encodeTailTx(datoms: readonly Datom[]): string {
  return encodeWithoutCache(datoms.map(encodeDatom));
}

/** A tail without a transaction. */
export const EMPTY_TAIL = "[]";

/** A tail of transactions as encodeTailTx made them. */
export function encodeTail(txs: readonly string[]): string {
  return `[${txs.join(",")}]`;
}

/** The database with a transaction of the tail applied. */
export function withTailTx(db: Db, datoms: readonly Datom[]): Db {
  const [first] = datoms;
  if (first === undefined) return db;
  return withDatoms(db, datoms, first.tx);
}

/** Opens a database out of the two rows. @throws {CorruptRowError | TransitError | NodeMissing} */
export function openDb(root: string, tail: string, source: NodeSource): Db {
  return decodeTail(tail).reduce(withTailTx, Db.open(decodeRoot(root), source));
}

function decodeTree(map: MapValue, index: keyof Trees): Tree {
  const metadata = map.get(`${index}-metadata`);
  if (!(metadata instanceof MapValue)) {
    throw new CorruptRowError(`Cannot read a root: it has no :${index}-metadata`);
  }
  return {
    root: integerIn(map, index),
    shift: integerIn(metadata, "shift"),
    count: integerIn(metadata, "count"),
  };
}

function integerIn(map: MapValue, name: string): number {
  const value = map.get(name);
  // A transaction below zero would be read as one that takes away.
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw new CorruptRowError(`Cannot read a root: its :${name} is no integer from 0 on`);
}

function vector(value: Value): readonly Value[] {
  if (isVector(value)) return value;
  throw new CorruptRowError("Cannot read a tail: it is no vector of vectors");
}
