/** The attributes of Logseq's that the server knows by name. */

import { Keyword, type Value } from "../datascript/value.ts";

/** A block's or page's id, the same on every device. */
export const UUID = "block/uuid";
export const PARENT = "block/parent";
/** A fractional index among the children of one parent. */
export const ORDER = "block/order";
/** The page that a block is on. */
export const PAGE = "block/page";
export const TITLE = "block/title";
/** A page's title in lower case. */
export const NAME = "block/name";
/** The classes that an entity is of. */
export const TAGS = "block/tags";
/** Logseq's own entities, the same in every graph. */
export const BUILT_IN = "logseq.property/built-in?";
/** What a `:logseq.kv/…` entity holds. */
export const KV_VALUE = "kv/value";
/** The classes that a class extends. */
export const EXTENDS = "logseq.property.class/extends";
export const IDENT = "db/ident";
export const VALUE_TYPE = "db/valueType";
export const CARDINALITY = "db/cardinality";

/** `[:block/uuid u]`: how an entity is named between devices. */
export function lookupRef(uuid: Value): readonly Value[] {
  return [UUID_KEYWORD, uuid];
}

const UUID_KEYWORD = new Keyword(UUID);
