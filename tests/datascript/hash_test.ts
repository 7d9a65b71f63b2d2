import assert from "node:assert/strict";
import fc from "fast-check";
import { hash } from "../../datascript/hash.ts";
import { List, MapValue, SetValue, type Value } from "../../datascript/value.ts";
import { values } from "../support/arbitrary_values.ts";
import { showValue, value, type Written } from "../support/written.ts";

/** As ClojureScript's compiler writes them into the code that it makes of such literals. */
const KNOWN: readonly (readonly [Written, number])[] = [
  [":a", -2123407586],
  [":b", 1482224470],
  [":c", -1763192079],
  [":id", -1388402092],
  [":key", -1516042587],
  [":keys", 1068423698],
  [":name", 1843675177],
  [":type", 1174270348],
  [":else", -1508377146],
  [":cljs.core/not-found", -1572889185],
  [":db/add", 235286841],
  [":db/ident", -737096],
  [":db.unique/identity", 1675950722],
  [null, 0],
  [true, 1231],
  [false, 1237],
  ["", 0],
  ["a", 1455541201],
  [[], -2017569654],
  [{}, -15128758],
  [new SetValue([]), -15128758],
];

for (const [written, known] of KNOWN) {
  Deno.test(`ClojureScript's hash of ${showValue(value(written))} is ${known}`, () => {
    assert.equal(hash(value(written)), known);
  });
}

/** The same value, written another way. */
function rewritten(of: Value): Value {
  if (Array.isArray(of)) return new List(of.map(rewritten));
  if (of instanceof List) return of.items.map(rewritten);
  if (of instanceof SetValue) return new SetValue(of.items.toReversed().map(rewritten));
  if (!(of instanceof MapValue)) return of;
  const entries = of.entries.map(([k, v]) => [rewritten(k), rewritten(v)] as const);
  return new MapValue(entries.toReversed());
}

Deno.test("Equal values hash alike, to a signed integer of 32 bits", () => {
  fc.assert(fc.property(values, (one) => {
    assert.equal(hash(one), hash(one) | 0);
    assert.equal(hash(rewritten(one)), hash(one));
  }));
});
