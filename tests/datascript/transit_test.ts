import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeTail, encodeTail, encodeTailTx } from "../../datascript/root.ts";
import {
  decode,
  encode,
  encodeWithoutCache,
  Repeats,
  TransitError,
} from "../../datascript/transit.ts";
import {
  equal,
  Keyword,
  List,
  MapValue,
  SetValue,
  Tagged,
  Uuid,
  type Value,
} from "../../datascript/value.ts";
import { names, values } from "../support/arbitrary_values.ts";
import { differences } from "../support/model.ts";
import { fact } from "../support/written.ts";

Deno.test("Every value is what it was after encode and decode, with cache codes and without", () => {
  fc.assert(
    fc.property(values, (value) => {
      assert.ok(equal(decode(encode(value)), value), encode(value));
      assert.ok(equal(decode(encodeWithoutCache(value)), value), encodeWithoutCache(value));
    }),
    { numRuns: 500 },
  );
});

Deno.test("Transactions of a tail, each encoded alone, are read as one tail when joined", () => {
  const datoms = fc.array(
    fc.record({
      e: fc.nat(),
      a: names,
      v: values,
      tx: fc.nat(),
    }).map(({ e, a, v, tx }) => fact(e, a, v, tx)),
    { maxLength: 5 },
  );
  fc.assert(fc.property(fc.array(datoms, { maxLength: 5 }), (txs) => {
    const tail = decodeTail(encodeTail(txs.map(encodeTailTx)));
    assert.equal(tail.length, txs.length);
    assert.deepEqual(tail.map((tx, i) => differences(tx, txs[i] ?? [])).flat(), []);
  }));
});

const keyword = (name: string): Keyword => new Keyword(name);

const READ: readonly (readonly [text: string, value: Value])[] = [
  ['["~:a/b","~:a"]', [keyword("a/b"), keyword("a")]],
  ['["~u66D4D973-2f24-4c9d-a48e-9b3a5275f835"]', [
    new Uuid("66d4d973-2f24-4c9d-a48e-9b3a5275f835"),
  ]],
  // Real graphs have such.
  ['["~uloc5a580-a8fe-4252-9e4c-a1914dd0b18c"]', [
    new Uuid("loc5a580-a8fe-4252-9e4c-a1914dd0b18c"),
  ]],
  ['["~~:a","~^ ","~`x","~~~","a~"]', ["~:a", "^ ", "`x", "~~", "a~"]],
  ['["~m1795532160314"]', [new Date(1795532160314)]],
  ['["~t1970-01-01T00:00:01.000Z"]', [new Date(1000)]],
  ['["~i32","~i-1","~d1.5","~zINF"]', [32, -1, 1.5, Infinity]],
  ['["~?t","~_",null,true]', [true, null, null, true]],
  ['["~#list",[1,[2]]]', new List([1, [2]])],
  ['["~#set",["~:a",1]]', new SetValue([keyword("a"), 1])],
  ['["^ ","~:a",1,"~i2",["^ "]]', new MapValue([[keyword("a"), 1], [2, new MapValue([])]])],
  ['{"~:a":1}', new MapValue([[keyword("a"), 1]])],
  ['["~#cmap",[["~:a","x"],null]]', new MapValue([[[keyword("a"), "x"], null]])],
  ['["~#\'","x"]', "x"],
  ['["~#\'",["~:a"]]', [keyword("a")]],
  ['["~:name/a","^0",["^0","~:name/b","^1"]]', [
    keyword("name/a"),
    keyword("name/a"),
    [keyword("name/a"), keyword("name/b"), keyword("name/b")],
  ]],
  ['["~#point",["~:a"]]', new Tagged("point", [keyword("a")])],
  ['["~#constructor",["~:a"]]', new Tagged("constructor", [keyword("a")])],
  ['["~xany","~$symbol","~n123"]', [
    new Tagged("x", "any"),
    new Tagged("$", "symbol"),
    new Tagged("n", "123"),
  ]],
  ['["~i9007199254740993"]', [new Tagged("i", "9007199254740993")]],
  ['["~bYWJj"]', [new Tagged("b", "YWJj")]],
  ['["~cx"]', ["x"]],
  ['["~#\\u0027",[["~#list",[1]],"~i9007199254740993"]]', [
    new List([1]),
    new Tagged("i", "9007199254740993"),
  ]],
  ['["~#\'",["~bYWJj",["~i9007199254740993"]]]', [
    new Tagged("b", "YWJj"),
    [new Tagged("i", "9007199254740993")],
  ]],
];

for (const [text, value] of READ) {
  Deno.test(`${text} is read as what it says, and keeps saying it`, () => {
    assert.deepEqual(decode(text), value);
    assert.deepEqual(decode(encode(value)), value);
  });
}

Deno.test("A keyword and a string of the same letters, a UUID and its text stay apart", () => {
  const uuid = "66d4d973-2f24-4c9d-a48e-9b3a5275f835";
  const value = [keyword("a/b"), ":a/b", "a/b", new Uuid(uuid), uuid];
  assert.deepEqual(decode(encode(value)), value);
});

const REFUSED: Readonly<Record<string, string>> = {
  "an empty text": "",
  "broken JSON": '["~:a"',
  "no JSON": "undefined",
  "two values": "1 2",
  "a cache code that points nowhere": '["^5"]',
  "a cache code that points nowhere, alone": '"^0"',
  "a cache code that points nowhere, quoted": '["~#\'",["^5"]]',
  "a cache code that points nowhere, as a key": '["^ ","^7",1]',
  "a cache code that points nowhere, below a tag": '["~#point",["^5"]]',
  "a map of a key without a value": '["^ ","~:a"]',
  "a long map whose last key has no value": `["^ ",${"1,".repeat(80)}"~:a"]`,
  "a map of composite keys and a key without a value": '["~#cmap",["~:a"]]',
  "a set that is none": '["~#set",1]',
  "a list that is none": '["~#list","~:a"]',
  "a keyword that is none": '["~#:",[1]]',
  "a UUID that is none": '["~#u",1]',
  "an instant that is none": '["~mabc"]',
  "an instant that is none, alone": '"~m"',
  "a tag before two values": '["~#point",1,2]',
  "a tag before nothing": '["~#point"]',
  "a tag of one letter before anything but a text": '["~#x",1]',
  "a map behind a tag": '["~#map",[1,2]]',
  "an array behind a tag": '["~#array",[1]]',
  "a list behind a tag of transit-js's own": '["~#link",{"~#list":[1]}]',
  "a map of composite keys behind such a tag": '["~#link",["^ ",[1],2]]',
  "a tag behind the name of what every object has": '["~#valueOf","~"]',
  "a text behind a tag": '["~#s","x"]',
  "a text behind a tag in one": '["~sx"]',
  "a text behind a mark as a tag": '[["~#^","x"]]',
  "a text behind the mark of tags as a tag": '[["~##","list"],["x"]]',
  "a quoted tag": '["~#\'",["~#\'",1]]',
  "a quoted tag, behind a tag with an escape": '["~#\\u0027",["~#\'",1]]',
  "a cache code that points nowhere, quoted by a tag with an escape": '["~\\u0023\'",["^5"]]',
  "a character that is an array": '["~#c",["~#list",[1]]]',
  "arrays that nest too deeply": "[".repeat(100_000) + "]".repeat(100_000),
};

for (const [what, text] of Object.entries(REFUSED)) {
  Deno.test(`A text with ${what} is no Transit`, () => {
    assert.throws(() => decode(text), TransitError);
  });
}

Deno.test("Whatever text comes, it is a value or no Transit, and nothing else", () => {
  const json = fc.letrec<{ any: unknown }>((tie) => ({
    any: fc.oneof(
      { maxDepth: 4, depthSize: "small" },
      fc.constantFrom(
        "^ ",
        "^0",
        "~#'",
        "~#list",
        "~#set",
        "~#cmap",
        "~#u",
        "~#m",
        "~#x",
        "~#link",
        "~#valueOf",
        "~#c",
        "~##",
        "~#^",
        "~#~",
        "~#`",
        "~:ab/c",
      ),
      fc.constantFrom(
        "~",
        "^",
        "~#",
        "~m1",
        "~ux",
        "~i1",
        "~zNaN",
        "~_",
        "~?",
        "~b",
        "~bYQ==",
        "~r",
      ),
      fc.constantFrom("", "a", 0, 1.5, null, true),
      fc.array(tie("any"), { maxLength: 5 }),
      fc.dictionary(fc.constantFrom("~#list", "~#'", "a", "~:b", "^0"), tie("any"), { maxKeys: 2 }),
    ),
  })).any;
  fc.assert(
    fc.property(json, (raw) => {
      const text = JSON.stringify(raw);
      let value: Value;
      try {
        value = decode(text);
      } catch (thrown) {
        assert.ok(thrown instanceof TransitError, `${text}: ${thrown}`);
        return;
      }
      const again = encode(value);
      assert.equal(encode(decode(again)), again, text);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("A text knows nothing of the keywords of the text before it", () => {
  assert.deepEqual(decode('["~:some/keyword","^0"]'), [
    keyword("some/keyword"),
    keyword("some/keyword"),
  ]);
  assert.throws(() => decode('["^0"]'), TransitError);
  assert.throws(() => decode('["~:some/keyword",["^9"]]'), TransitError);
  assert.throws(() => decode('["^0"]'), TransitError);
});

Deno.test("A text is written the same whatever was written before it", () => {
  const value = [keyword("some/keyword"), keyword("some/keyword")];
  for (let i = 0; i < 250; i++) {
    assert.equal(encode(value), '["~:some/keyword","^0"]');
    assert.equal(encode([keyword(`other/keyword-${i}`), ...value]).at(-3), "1");
  }
  // Every object has something of this name, also the writer's cache.
  const named = new MapValue([["constructor", 1]]);
  for (let i = 0; i < 250; i++) {
    assert.deepEqual(decode(encode(named)), named);
    for (let between = 0; between < i; between++) encode(value);
  }
  let deep: Value = keyword("some/keyword");
  for (let i = 0; i < 100_000; i++) deep = [deep];
  assert.throws(() => encode([keyword("some/keyword"), deep]), RangeError);
  assert.equal(encode(value), '["~:some/keyword","^0"]');
});

Deno.test("Names that a text says once and repeats by codes come to no more than 16 million characters beyond it", () => {
  const name = "k".repeat(1_000_000);
  const texts = {
    key: (times: number) => `[${repeated(`["^ ","${name}",1]`, `["^ ","^0",1]`, times)}]`,
    tag: (times: number) => `[${repeated(`["~#${name}",1]`, `["^0",1]`, times)}]`,
    keyword: (times: number) => `[${repeated(`"~:${name}"`, `"^0"`, times)}]`,
    symbol: (times: number) => `[${repeated(`"~$${name}"`, `"^0"`, times)}]`,
  };
  for (const textOf of Object.values(texts)) {
    decode(textOf(16), new Repeats());
    assert.throws(() => decode(textOf(20), new Repeats()), TransitError);
    const repeats = new Repeats();
    decode(textOf(10), repeats);
    assert.throws(() => decode(textOf(10), repeats), TransitError);
    // Rows are what they are.
    decode(textOf(20));
  }
  const long = JSON.stringify(Array(40).fill(`~:${name}`));
  decode(long, new Repeats());
});

function repeated(first: string, again: string, times: number): string {
  return [first, ...Array<string>(times - 1).fill(again)].join();
}
