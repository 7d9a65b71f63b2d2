/** The attributes of Logseq's that the server knows by name. */

import { Keyword, type Value } from "../datascript/value.ts";

/** A block's or page's id, the same on every device. */
export const UUID = "block/uuid";
export const PARENT = "block/parent";
/** A fractional index among the children of one parent. */
export const ORDER = "block/order";
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
