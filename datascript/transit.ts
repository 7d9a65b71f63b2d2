/**
 * Transit JSON ↔ values. transit-js does the format; this file says what its types are here, and
 * refuses what it lets pass.
 *
 * Each text is read with a cache of repeated keywords of its own: one is never emptied, so it would
 * lend a text the keywords of the one before (platform.md §0).
 */

// @ts-types="@types/transit-js"
import transit from "transit-js";
import { isVector, Keyword, List, MapValue, SetValue, Tagged, Uuid, type Value } from "./value.ts";

/** The text is not Transit, or holds what no client can mean (a cache code that points nowhere). */
export class TransitError extends Error {
  override readonly name = "TransitError";
}

/**
 * Characters by which names may come to more than the text that holds them: keywords, tags and keys of
 * maps, which a text writes once and a code names again. A key of a million characters 300 times, in 1 MB,
 * took a gigabyte and a minute, as what is made of it is written without codes, or gone through each time.
 */
const MAX_REPEATED = 16 * 1024 * 1024;

/** How much more names may come to, over some texts. */
export class Repeats {
  #left = MAX_REPEATED;

  /** Whether there was as much left. */
  take(characters: number): boolean {
    this.#left -= characters;
    return this.#left >= 0;
  }
}

/** Characters of the names in the text that is being read. */
let named = 0;

/**
 * The value that a Transit JSON text holds.
 *
 * @param repeats what texts that are read for one purpose have left; without it they may repeat what they like
 * @throws {TransitError} not JSON, not Transit, a dangling cache code, nested too deeply, or names far
 *   longer than the text
 */
export function decode(text: string, repeats?: Repeats): Value {
  let raw: unknown;
  named = 0;
  try {
    raw = decoder.decode(JSON.parse(text), transit.readCache());
    // A quoted array comes as it is, past the arrayBuilder; a quoted value inside of a text is rare, and so
    // is an escape, by which its tag may be written too.
    if (text.includes("~#'") || text.includes("\\u00")) raw = admitDeeply(raw);
  } catch (cause) {
    // A SyntaxError, or a RangeError when arrays nest deeper than the stack.
    throw new TransitError("Cannot read the text as Transit JSON", { cause });
  }
  if (repeats?.take(Math.max(0, named - text.length)) === false) {
    throw new TransitError("Cannot read the text as Transit JSON: it repeats too many long names");
  }
  return admit(raw);
}

/** Transit JSON with cache codes (`^0`), as Logseq writes it. */
export function encode(value: Value): string {
  const { writer, texts } = kept ?? { writer: transit.writer("json", WRITER_OPTIONS), texts: 0 };
  // One that fails on the way leaves codes in its cache.
  kept = undefined;
  const text = writer.write(value);
  if (texts < TEXTS_PER_WRITER) kept = { writer, texts: texts + 1 };
  return text;
}

/**
 * Transit JSON without cache codes: longer, but such texts can be joined to one array, which
 * every Transit reader still understands.
 */
export function encodeWithoutCache(value: Value): string {
  return uncachedWriter.write(value);
}

function admit(raw: unknown): Value {
  switch (typeof raw) {
    case "string":
    case "number":
    case "boolean":
      return raw;
    case "object":
      if (raw instanceof Date && Number.isNaN(raw.getTime())) break; // has no place in any order
      if (raw === null) return raw;
      if (raw instanceof Keyword) named += raw.name.length;
      else if (raw instanceof Tagged && typeof raw.rep === "string") named += raw.rep.length;
      if (isOurs(raw)) return raw;
      if (raw instanceof Uint8Array) return new Tagged("b", raw.toBase64());
      // A tag before anything but a text does not come to the defaultHandler.
      if (transit.isTaggedValue(raw)) {
        return tagged(text(Reflect.get(raw, "tag"), "tag"), Reflect.get(raw, "rep"));
      }
      // Beyond 2^53 transit-js answers a Long of its own.
      if (transit.isInteger(raw)) return new Tagged("i", String(raw));
  }
  throw new TransitError(`Cannot read the text as Transit JSON: it holds ${describe(raw)}`);
}

function describe(raw: unknown): string {
  if (raw instanceof Date) return "an instant that is none";
  return raw === undefined ? "a cache code that points nowhere" : `a bare ${typeof raw}`;
}

function isOurs(raw: object): raw is Exclude<Value, boolean | number | string | null> {
  return Array.isArray(raw) || raw instanceof Keyword || raw instanceof Uuid ||
    raw instanceof Date || raw instanceof List || raw instanceof MapValue ||
    raw instanceof SetValue || raw instanceof Tagged;
}

/** The same of everything inside too. @throws {TransitError} */
function admitDeeply(raw: unknown): Value {
  const value = admit(raw);
  if (value instanceof MapValue) {
    return new MapValue(value.entries.map(([key, held]) => [admitDeeply(key), admitDeeply(held)]));
  }
  if (value instanceof Tagged) return new Tagged(value.tag, admitDeeply(value.rep));
  if (value instanceof List) return new List(value.items.map(admitDeeply));
  if (value instanceof SetValue) return new SetValue(value.items.map(admitDeeply));
  return isVector(value) ? value.map(admitDeeply) : value;
}

/**
 * By these transit-js tells how to write a value, so that it would write what they tag as something else
 * than was read. No writer writes them.
 */
const WRITERS_TAGS: readonly string[] = ["s", "array", "map"];

/** Behind a `~` these are no tags: what they tag would come back as a text, or as a tag. */
const MARKS: readonly string[] = ["~", "^", "`", "#"];

function tagged(tag: string, rep: unknown): Tagged {
  named += tag.length;
  if (WRITERS_TAGS.includes(tag) || MARKS.includes(tag)) {
    throw new TransitError(`Cannot read the tag ${tag}`);
  }
  if (tag.length === 1 && typeof rep !== "string") {
    throw new TransitError(`Cannot read a value tagged ${tag} must be a text`);
  }
  // transit-js does not give an array behind some tags to the arrayBuilder.
  return new Tagged(tag, Array.isArray(rep) ? rep.map(admit) : admit(rep));
}

/**
 * Tags that stay as they are. transit-js has readers of its own for some; and it looks a tag up in a
 * plain object, where it finds `constructor`.
 */
const KEPT_TAGS: readonly string[] = [
  ...["$", "r", "n", "f", "link"],
  ...Object.getOwnPropertyNames(Object.prototype).filter((name) => name !== "__proto__"),
];

/**
 * One of those. Behind a tag that it knows transit-js reads no further one, so what is written by a tag of
 * its own could never be read again.
 */
function keptTagged(tag: string, rep: unknown): Tagged {
  const kept = tagged(tag, rep);
  if (hasTag(kept.rep)) throw new TransitError(`Cannot read a tag behind the tag ${tag}`);
  return kept;
}

/** Whether a value is written as an array that begins with a tag. */
function hasTag(value: Value): boolean {
  return value instanceof List || value instanceof SetValue ||
    value instanceof MapValue && isCompositeMap(value) ||
    value instanceof Tagged && value.tag.length !== 1;
}

function text(rep: unknown, of: string): string {
  if (typeof rep === "string") return rep;
  throw new TransitError(`Cannot read a ${of} must be a text: current value is a ${typeof rep}`);
}

function items(rep: unknown, of: string): readonly Value[] {
  if (Array.isArray(rep)) return rep.map(admit);
  throw new TransitError(`Cannot read a ${of} must be an array: current value is a ${typeof rep}`);
}

function entriesOf(flat: readonly Value[]): [Value, Value][] {
  if (flat.length % 2 !== 0) {
    throw new TransitError(`Cannot read a map of ${flat.length} keys and values: must be even`);
  }
  return Array.from({ length: flat.length / 2 }, (_, i) => [
    flat[2 * i] ?? null,
    flat[2 * i + 1] ?? null,
  ]);
}

const READER_OPTIONS = {
  handlers: {
    ":": (rep: unknown) => new Keyword(text(rep, "keyword")),
    // Any text: real graphs hold ids that are no hexadecimal, and Logseq takes them for UUIDs.
    "u": (rep: unknown) => new Uuid(text(rep, "UUID")),
    "c": (rep: unknown) => text(rep, "character"),
    "list": (rep: unknown) => new List(items(rep, "list")),
    "set": (rep: unknown) => new SetValue(items(rep, "set")),
    "cmap": (rep: unknown) => new MapValue(entriesOf(items(rep, "map"))),
    ...Object.fromEntries(
      KEPT_TAGS.map((tag) => [tag, (rep: unknown) => keptTagged(tag, rep)]),
    ),
  },
  defaultHandler: (tag: string, rep: unknown): Value => tagged(tag, rep),
  arrayBuilder: {
    init: (): Value[] => [],
    add: (array: Value[], item: unknown): Value[] => {
      array.push(admit(item));
      return array;
    },
    finalize: (array: Value[]): Value[] => array,
    fromArray: (array: unknown[]): Value[] => array.map(admit),
  },
  mapBuilder: {
    init: (): [Value, Value][] => [],
    add: (entries: [Value, Value][], key: unknown, value: unknown): [Value, Value][] => {
      entries.push([admit(key), admit(value)]);
      return entries;
    },
    finalize: (entries: [Value, Value][], raw: unknown): MapValue => mapOf(entries, raw),
    fromArray: (flat: unknown[], raw: unknown): MapValue => mapOf(entriesOf(flat.map(admit)), raw),
  },
};

/** @param raw what the map was written as: transit-js reads nil for a value that is missing there */
function mapOf(entries: [Value, Value][], raw: unknown): MapValue {
  if (Array.isArray(raw) && raw.length % 2 === 0) {
    throw new TransitError("Cannot read a map whose last key has no value");
  }
  for (const [key] of entries) {
    if (typeof key === "string") named += key.length;
    else if (key instanceof Uuid) named += key.text.length;
    else if (key instanceof Tagged && typeof key.rep === "string") named += key.rep.length;
  }
  return new MapValue(entries);
}

/**
 * Transit writes a map with such a key as `~#cmap`, since JSON has no place for it. A number that is
 * no integer would have one, but transit-js writes it there as an integer. Nor is it for a text of which
 * every object has something, as `constructor`: transit-js takes that for an entry of its cache, and may
 * write its code where the text itself was never written.
 */
function isComposite(key: Value): boolean {
  if (typeof key === "string") return key in Object.prototype;
  if (typeof key === "number") return !Number.isSafeInteger(key);
  return typeof key === "object" && key !== null && !(key instanceof Keyword) &&
    !(key instanceof Uuid) && !(key instanceof Date);
}

function handler<V>(tag: (value: V) => string, rep: (value: V) => unknown): object {
  return transit.makeWriteHandler({
    tag,
    rep,
    stringRep: (value: V) => {
      const written = rep(value);
      return typeof written === "string" ? written : null;
    },
  });
}

const isCompositeMap = (map: MapValue): boolean => map.entries.some(([key]) => isComposite(key));

const WRITER_OPTIONS = {
  handlers: transit.map([
    Keyword,
    handler<Keyword>(() => ":", (keyword) => keyword.name),
    Uuid,
    handler<Uuid>(() => "u", (uuid) => uuid.text),
    List,
    handler<List>(() => "list", (list) => list.items),
    SetValue,
    handler<SetValue>(() => "set", (set) => set.items),
    MapValue,
    handler<MapValue>(
      (map) => isCompositeMap(map) ? "cmap" : "map",
      // transit-js writes as a map whatever has forEach(value, key).
      (map) => isCompositeMap(map) ? map.entries.flat() : new Map(map.entries),
    ),
    Tagged,
    handler<Tagged>((tagged) => tagged.tag, (tagged) => tagged.rep),
  ]),
};

const UNCACHED_OPTIONS = { ...WRITER_OPTIONS, cache: false };

/**
 * To make one takes a fifth of the time of reading a transaction. Its types know only what a writer
 * takes; it takes what a reader does.
 */
const decoder = transit.decoder(READER_OPTIONS as object as Record<string, never>);

/** It keeps nothing of what it has written. */
const uncachedWriter = transit.writer("json", UNCACHED_OPTIONS);

/**
 * A writer that is free, and how many texts it has written. To make one takes a third of the time of
 * writing a transaction, but it never forgets a keyword, and clients choose them.
 */
let kept: { readonly writer: transit.TransitWriter; readonly texts: number } | undefined;
const TEXTS_PER_WRITER = 100;
