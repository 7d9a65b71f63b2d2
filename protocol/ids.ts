/**
 * The names by which things are called in requests and in the store, as types that only their parsers
 * can make. Parsers answer `undefined` for what is not such a name; the caller knows which error word that is.
 */

declare const brand: unique symbol;
type Brand<Base, Name extends string> = Base & { readonly [brand]: Name };

/** A graph's id: a UUID as text, lower case. */
export type GraphId = Brand<string, "GraphId">;
/** A user: the claim `sub` of a verified token. Not empty. */
export type UserId = Brand<string, "UserId">;
/** An e-mail address by which a user can be found: as `foldEmail` folds it. Not known to reach anyone. */
export type Email = Brand<string, "Email">;
/** A graph's version: a non-negative safe integer; 0 for a new graph, +1 for each accepted batch. */
export type T = Brand<number, "T">;
/** The address of a row: a non-negative safe integer; 0 is the root, 1 the tail. */
export type Addr = Brand<number, "Addr">;
/**
 * What a graph's log or rows are kept under: a UUID as text, new with each reset. So what is left of
 * an old log can't be taken for a part of the new one.
 */
export type Generation = Brand<string, "Generation">;
/** The name of a graph's file: `<uuid>.<ext>`, the UUID in lower case, the ext as it was given. */
export type AssetName = Brand<string, "AssetName">;
/** What a file's bytes are kept under: a UUID as text, new with each upload. */
export type BlobId = Brand<string, "BlobId">;

/** By which today's clients know an entry of theirs: a UUID as text, lower case. */
export type TxId = Brand<string, "TxId">;
/**
 * An entry as it was sent: its TxId, a slash, and 16 hex digits of its text's SHA-256. A client that
 * finds its entry overtaken sends another text under the same TxId.
 */
export type SentId = Brand<string, "SentId">;
/** Logseq's checksum of a graph: 16 hexadecimal digits, lower case. */
export type Checksum = Brand<string, "Checksum">;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Any UUID text, whatever its version; upper case is folded, so that one graph has one key. */
export function parseGraphId(value: unknown): GraphId | undefined {
  return foldedUuid(value) as GraphId | undefined;
}

/** A new random graph id. */
export function newGraphId(): GraphId {
  return crypto.randomUUID() as GraphId;
}

/**
 * A claim `sub` that can be part of a KV key: 1 to 512 UTF-16 units, none of them half a character (a
 * lone surrogate): in a key all of those are one, so that two users would be.
 */
export function parseUserId(value: unknown): UserId | undefined {
  return typeof value === "string" && value.length > 0 && value.length <= 512 &&
      value.isWellFormed()
    ? value as UserId
    : undefined;
}

const EMAIL = /^[^\s@]+@[^\s@]+$/;
/** RFC 5321 §4.5.3.1: 64 octets, an @, 255 octets. */
const MAX_EMAIL = 320;

/** Upper case is folded, so that one address has one key; for half characters see `parseUserId`. */
export function parseEmail(value: unknown): Email | undefined {
  if (typeof value !== "string" || value.length > MAX_EMAIL || !value.isWellFormed()) {
    return undefined;
  }
  const text = foldEmail(value.trim());
  return EMAIL.test(text) ? text as Email : undefined;
}

/**
 * The address with A to Z in lower case, and no other letters: of those some become another's, as the Kelvin
 * sign becomes a k, and who has an address of his own with one would have somebody else's.
 */
export function foldEmail(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/** -0 is folded to 0, as of one number there is one key. */
export function parseT(value: unknown): T | undefined {
  return isNonNegativeInteger(value) ? value + 0 as T : undefined;
}

/** -0 is folded to 0, as of one number there is one key. */
export function parseAddr(value: unknown): Addr | undefined {
  return isNonNegativeInteger(value) ? value + 0 as Addr : undefined;
}

/** UUID text as `newGeneration` makes it. */
export function parseGeneration(value: unknown): Generation | undefined {
  return typeof value === "string" && UUID.test(value) ? value as Generation : undefined;
}

/** A new random generation. */
export function newGeneration(): Generation {
  return crypto.randomUUID() as Generation;
}

/**
 * Whatever follows the last dot of a file's name, as "0 (draft)" of "Notes 3.0 (draft)". What could be
 * taken for a path or an address's end is not among it: no dot, no slash of either kind, no percent
 * sign, `?` or `#`; nor are control characters and halves of a character.
 */
const ASSET_EXT = /^[^\p{Cc}\p{Cs}./\\%?#]{1,255}$/u;

/** `<uuid>.<ext>` and nothing else: one dot, no folder. Upper case in the UUID is folded. */
export function parseAssetName(value: unknown): AssetName | undefined {
  if (typeof value !== "string") return undefined;
  const [id, ext, ...more] = value.split(".");
  const uuid = foldedUuid(id);
  if (uuid === undefined || ext === undefined || more.length > 0) return undefined;
  return ASSET_EXT.test(ext) ? `${uuid}.${ext}` as AssetName : undefined;
}

/** The part after the dot. */
export function assetExt(name: AssetName): string {
  return name.slice(name.indexOf(".") + 1);
}

/** UUID text as `newBlobId` makes it. */
export function parseBlobId(value: unknown): BlobId | undefined {
  return typeof value === "string" && UUID.test(value) ? value as BlobId : undefined;
}

/** A new random id of a blob. */
export function newBlobId(): BlobId {
  return crypto.randomUUID() as BlobId;
}

/** Any UUID text; upper case is folded. */
export function parseTxId(value: unknown): TxId | undefined {
  return foldedUuid(value) as TxId | undefined;
}

const SENT_ID_DIGEST = /^[0-9a-f]{16}$/;

/** As `sentIdOf` (sync/accepted.ts) makes it; without the digest where an earlier server wrote it. */
export function parseSentId(value: unknown): SentId | undefined {
  if (typeof value !== "string") return undefined;
  const [txId, digest, ...more] = value.split("/");
  const isOne = parseTxId(txId) === txId && more.length === 0 &&
    (digest === undefined || SENT_ID_DIGEST.test(digest));
  return isOne ? value as SentId : undefined;
}

const CHECKSUM = /^[0-9a-f]{16}$/;

export function parseChecksum(value: unknown): Checksum | undefined {
  return typeof value === "string" && CHECKSUM.test(value) ? value as Checksum : undefined;
}

/** The checksum of a graph without a block. */
export const EMPTY_CHECKSUM = "0000000000000000" as Checksum;

/** The version of a graph that holds no batch. */
export const T_ZERO = 0 as T;
/** The version after `t`: one more batch. */
export function nextT(t: T): T {
  return (t + 1) as T;
}

export const ROOT_ADDR = 0 as Addr;
export const TAIL_ADDR = 1 as Addr;

/** UUID text of any version, in lower case. */
function foldedUuid(value: unknown): string | undefined {
  const text = typeof value === "string" ? value.toLowerCase() : "";
  return UUID.test(text) ? text : undefined;
}

function isNonNegativeInteger(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
