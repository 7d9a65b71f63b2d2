/**
 * The schema with which Logseq opens a graph that holds nothing yet: what its attributes are before
 * the datoms say so. A graph that is never uploaded, but made of batches from t = 0, begins with it.
 */

import { keywordMap, keywordOf } from "../datascript/datom.ts";
import { Schema } from "../datascript/schema.ts";
import type { Value } from "../datascript/value.ts";

const ref: Value = keywordOf("db.type/ref");
const many: Value = keywordOf("db.cardinality/many");
const identity: Value = keywordOf("db.unique/identity");

const INDEXED = { "db/index": true };
const IDENTITY = { "db/unique": identity };
const REF = { "db/valueType": ref, "db/index": true };
const REFS = { "db/valueType": ref, "db/cardinality": many };

const ATTRIBUTES: Readonly<Record<string, Readonly<Record<string, Value>>>> = {
  "db/ident": IDENTITY,
  "kv/value": {},
  "block/uuid": IDENTITY,
  "block/parent": REF,
  "block/order": INDEXED,
  "block/collapsed?": {},
  "block/page": REF,
  "block/refs": REFS,
  "block/tags": REFS,
  "block/link": REF,
  "block/alias": REFS,
  "block/closed-value-property": REFS,
  "block/created-at": INDEXED,
  "block/updated-at": INDEXED,
  "block/name": INDEXED,
  "block/title": INDEXED,
  "block/journal-day": INDEXED,
  "block/tx-id": {},
  "file/path": IDENTITY,
  "file/content": {},
  "file/created-at": {},
  "file/last-modified-at": {},
  "file/size": {},
};

export const LOGSEQ_SCHEMA: Schema = Schema.decode(keywordMap(
  Object.fromEntries(
    Object.entries(ATTRIBUTES).map(([a, properties]) => [a, keywordMap(properties)]),
  ),
));
