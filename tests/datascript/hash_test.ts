import assert from "node:assert/strict";
import fc from "fast-check";
import { hash } from "../../datascript/hash.ts";
import { decode } from "../../datascript/transit.ts";
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

/** Transit → `(hash x)`, as ClojureScript (nbb-logseq 1.2.173) printed it. */
const PRINTED: readonly (readonly [transit: string, hash: number])[] = [
  ['["~#\'",0]', 0],
  ['["~#\'",1]', 1],
  ['["~#\'",-1]', -1],
  ['["~#\'",5]', 5],
  ['["~#\'",2147483647]', 0],
  ['["~#\'",2147483648]', 1],
  ['["~#\'",1000000000000000]', 617454333],
  ['["~#\'",0.5]', 0],
  ['["~#\'",1.5]', 1],
  ['["~#\'",-0.5]', -1],
  ['["~#\'",1e+300]', 260391960],
  ['["~#\'",""]', 0],
  ['["~#\'","a"]', 1455541201],
  ['["~#\'","ü😀"]', -1972167683],
  ['["~#\'","hello world"]', -1522757468],
  ['["~#\'",true]', 1231],
  ['["~#\'",false]', 1237],
  ['["~#\'",null]', 0],
  ['["~#\'","~:a"]', -2123407586],
  ['["~#\'","~:x/y"]', -1757859896],
  ['["~#\'","~:k/v"]', 21463888],
  ['["~#\'","~:block/uuid"]', -1991494552],
  ['["~#\'","~u00000005-0000-4000-8000-000000000000"]', -833235618],
  ['["~#\'","~m1700000000002"]', -807049214],
  ['["~#\'","~m0"]', 0],
  ["[]", -2017569654],
  ["[1]", -1939225835],
  ['[1,"a"]', 402405078],
  ['["~#list",[1,2]]', 1185709346],
  ['["~#list",[]]', -2017569654],
  ['["~#set",[]]', -15128758],
  ['["~#set",[1]]', 1978132887],
  ['["~#set",[1,2,3]]', -725333598],
  ['["^ "]', -15128758],
  ['["^ ","~:a",1]', -2144769406],
  ['["^ ","~:a",1,"~:b",2]', -1374557948],
  ['["^ ","~:a",["^ ","~:q",1]]', -1341318623],
  ['["^ ","~:a","~m1700000000002"]', -639293865],
  ['["^ ","~:a","~u00000005-0000-4000-8000-000000000000"]', -1407713833],
  ['["^ ","~:a",[1,"a"]]', 337915446],
  ['["^ ","~:a","s"]', -1917138703],
  ['["^ ","~:a",true]', 786384262],
  ['["^ ","~:a","~:k/v"]', -1279846705],
  ['["^ ","~:a",1,"~:b",2,"~:c",3,"~:d",4,"~:e",5,"~:f",6,"~:g",7,"~:h",8,"~:i",9]', -276583602],
  ['["^ ","a",1]', -1881843461],
];

Deno.test("The hashes are those that ClojureScript printed", () => {
  assert.deepEqual(PRINTED.map(([transit]) => [transit, hash(decode(transit))]), PRINTED);
});
