/**
 * ClojureScript's `hash` (32-bit Murmur 3): the order of values that have no order of their own,
 * such as two maps under one attribute (datascript.md §3).
 */

import {
  Keyword,
  keywordParts,
  type List,
  MapValue,
  sequence,
  SetValue,
  Tagged,
  Uuid,
  type Value,
} from "./value.ts";

/** A signed 32-bit integer; equal values hash alike. */
export function hash(value: Value): number {
  if (value === null) return 0;
  switch (typeof value) {
    case "boolean":
      return value ? 1231 : 1237;
    case "number":
      return hashNumber(value);
    case "string":
      return hashInt(hashText(value));
  }
  if (value instanceof Keyword) return hashKeyword(value.name);
  if (value instanceof Uuid) return hash(value.text);
  if (value instanceof Date) return value.getTime() | 0;
  const known = hashes.get(value);
  if (known !== undefined) return known;
  const found = hashInside(value);
  hashes.set(value, found);
  return found;
}

/** Of what holds other values: a large one is compared with each that comes into its tree. */
const hashes = new WeakMap<object, number>();

function hashInside(value: List | MapValue | SetValue | Tagged | readonly Value[]): number {
  if (value instanceof MapValue) {
    return hashUnordered(value.entries.map(([k, v]) => hashOrdered([hash(k), hash(v)])));
  }
  if (value instanceof SetValue) return hashUnordered(value.items.map(hash));
  if (value instanceof Tagged) return combine(hashText(value.tag), hash(value.rep));
  return hashOrdered((sequence(value) ?? []).map(hash));
}

/** Clients choose the names, so what is kept of them has a bound. */
const MAX_KEYWORDS = 10_000;
const keywords = new Map<string, number>();

/**
 * Hash of the keyword of this name (`ns/name`, or a name alone). Kept, as the keys of a map are sorted by
 * it: made for each comparison, maps of some thousand long keys took half a minute.
 */
export function hashKeyword(name: string): number {
  const known = keywords.get(name);
  if (known !== undefined) return known;
  const found = hashName(name);
  if (keywords.size >= MAX_KEYWORDS) keywords.clear();
  keywords.set(name, found);
  return found;
}

function hashName(name: string): number {
  const [namespace = "", own] = keywordParts(name);
  const symbol = combine(hashChars(own), hashText(namespace));
  return (symbol + 0x9e3779b9) | 0;
}

function hashNumber(n: number): number {
  if (Number.isFinite(n)) return (Math.floor(n) % 2147483647) | 0;
  return n === Infinity ? 2146435072 : n === -Infinity ? -1048576 : 2146959360;
}

/** Java's String.hashCode, over UTF-16 code units. */
function hashText(text: string): number {
  let h = 0;
  for (let i = 0; i < text.length; i++) h = (Math.imul(31, h) + text.charCodeAt(i)) | 0;
  return h;
}

function combine(seed: number, h: number): number {
  return seed ^ (h + 0x9e3779b9 + (seed << 6) + (seed >> 2));
}

function rotateLeft(x: number, bits: number): number {
  return (x << bits) | (x >>> (32 - bits));
}

function mixK1(k1: number): number {
  return Math.imul(rotateLeft(Math.imul(k1, 0xcc9e2d51), 15), 0x1b873593);
}

function mixH1(h1: number, k1: number): number {
  return (Math.imul(rotateLeft(h1 ^ k1, 13), 5) + 0xe6546b64) | 0;
}

function finish(h1: number, length: number): number {
  let h = h1 ^ length;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

function hashInt(n: number): number {
  return n === 0 ? 0 : finish(mixH1(0, mixK1(n)), 4);
}

function hashChars(text: string): number {
  let h = 0;
  for (let i = 1; i < text.length; i += 2) {
    h = mixH1(h, mixK1(text.charCodeAt(i - 1) | (text.charCodeAt(i) << 16)));
  }
  if (text.length % 2 === 1) h ^= mixK1(text.charCodeAt(text.length - 1));
  return finish(h, 2 * text.length);
}

function hashOrdered(hashes: readonly number[]): number {
  return mixCollection(hashes.reduce((h, item) => (Math.imul(31, h) + item) | 0, 1), hashes.length);
}

function hashUnordered(hashes: readonly number[]): number {
  return mixCollection(hashes.reduce((h, item) => (h + item) | 0, 0), hashes.length);
}

function mixCollection(basis: number, count: number): number {
  return finish(mixH1(0, mixK1(basis)), count);
}
