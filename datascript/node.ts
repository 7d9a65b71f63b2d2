/**
 * A node of a B+ tree, and its form as a row (datascript.md §2). A node that is not stored yet is
 * held by its parent itself, a stored one by its address.
 */

import { type Datom, decodeDatom, encodeDatom, keywordOf } from "./datom.ts";
import { CorruptRowError } from "./errors.ts";
import { decode, encode } from "./transit.ts";
import { isVector, MapValue } from "./value.ts";

/** Sorted datoms. */
export interface Leaf {
  readonly keys: readonly Datom[];
  readonly children?: undefined;
}

/** `keys[i]` is the greatest datom below `children[i]`; as many children as keys, at least one. */
export interface Branch {
  readonly keys: readonly Datom[];
  readonly children: readonly Ref[];
}

export type Node = Leaf | Branch;
/** Where a node is: at an address, or here. */
export type Ref = number | Node;

/** What a row holds beside its address. */
export interface NodeRow {
  readonly content: string;
  /** A JSON array of the children's addresses, or null for a leaf. */
  readonly addresses: string | null;
}

/** @throws {CorruptRowError} the row is no node */
export function decodeNode({ content, addresses }: NodeRow): Node {
  const map = decode(content);
  const keys = map instanceof MapValue ? map.get("keys") : undefined;
  if (keys === undefined || !isVector(keys)) {
    throw new CorruptRowError("Cannot read a node: its content is no map with a vector of :keys");
  }
  const datoms = keys.map(decodeDatom);
  if (addresses === null) return { keys: datoms };
  const children = parseAddresses(addresses);
  if (children.length === 0 || children.length !== datoms.length) {
    throw new CorruptRowError(
      `Cannot read a branch: it has ${datoms.length} keys and ${children.length} addresses`,
    );
  }
  return { keys: datoms, children };
}

/** The row of a node all of whose children are stored. */
export function encodeNode(keys: readonly Datom[], addresses?: readonly number[]): NodeRow {
  return {
    content: encode(new MapValue([[keywordOf("keys"), keys.map(encodeDatom)]])),
    addresses: addresses === undefined ? null : JSON.stringify(addresses),
  };
}

function parseAddresses(text: string): readonly number[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new CorruptRowError("Cannot read a branch: its addresses are not JSON", { cause });
  }
  if (!Array.isArray(parsed) || !parsed.every(isAddress)) {
    throw new CorruptRowError("Cannot read a branch: its addresses are no array of integers");
  }
  return parsed;
}

function isAddress(value: unknown): value is number {
  return Number.isSafeInteger(value);
}
