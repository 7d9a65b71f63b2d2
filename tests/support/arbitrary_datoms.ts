/** Arbitrary datoms over few entities, attributes and values, so that many are of one fact. */
import fc from "fast-check";
import { Datom } from "../../datascript/datom.ts";
import { schemaOf, value } from "./written.ts";

/** Nobody has any `ref/none`. */
export const SCHEMA = schemaOf({
  "plain": {},
  "indexed": { ":db/index": true },
  "ref/one": { ":db/valueType": ":db.type/ref" },
  "ref/none": { ":db/valueType": ":db.type/ref" },
});

const VALUES = [1, 2, "a", "b", ":k", true, [1], { ":m": 1 }].map(value);
export const eids = fc.integer({ min: 1, max: 6 });
export const attributes = fc.constantFrom("plain", "indexed", "ref/one");
export const someValues = fc.constantFrom(...VALUES);

/** Of one transaction, added and taken away, in any order. */
export function datoms(tx: number, maxLength: number): fc.Arbitrary<readonly Datom[]> {
  return fc.array(
    fc.tuple(eids, attributes, someValues, fc.boolean())
      .map(([e, a, v, added]) => new Datom(e, a, v, tx, added)),
    { maxLength, size: "max" },
  );
}
