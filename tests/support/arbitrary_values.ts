/** Arbitrary values of every kind that a datom can hold. */
import fc from "fast-check";
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

/** Texts with what Transit gives a meaning at their beginning. */
export const texts: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 12 }),
  fc.string({ unit: "binary", maxLength: 6 }),
  fc.constantFrom("", "~", "^", "`", "~~", "^ ", "^0", "~:a/b", "~#list", "~u1", "`x", "~i5", "~_"),
  fc.tuple(fc.constantFrom("~", "^", "`", "~#", "~:", "^ "), fc.string({ maxLength: 6 }))
    .map((parts) => parts.join("")),
);

export const names: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom("a", "b", "a/b", "b/a", "a.b/c", "block/uuid", "db/ident", "/", "a/b?", "é/ü"),
  fc.stringMatching(/^[a-z.]{1,4}(\/[a-z?-]{1,4})?$/),
);

/** Without NaN, which has no place in any order, neither here nor in ClojureScript. */
export const numbers: fc.Arbitrary<number> = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double({ noNaN: true }),
);

/** Values with an order of their own. */
export const scalars: fc.Arbitrary<Value> = fc.oneof(
  texts,
  numbers,
  fc.boolean(),
  names.map((name) => new Keyword(name)),
  fc.oneof(fc.uuid(), fc.constantFrom("loc5a580-a8fe-4252-9e4c-a1914dd0b18c", "x"))
    .map((text) => new Uuid(text)),
  fc.date({ noInvalidDate: true }),
);

/** Any value, nil inside of collections too. */
export const values: fc.Arbitrary<Value> = fc.letrec<{ any: Value; some: Value }>((tie) => {
  const items = fc.array(tie("any"), { maxLength: 4 });
  const distinct = fc.uniqueArray(tie("any"), { maxLength: 4, comparator: equal });
  const entries = fc.uniqueArray(fc.tuple(tie("any"), tie("any")), {
    maxLength: 10,
    comparator: equal,
    selector: ([key]) => key,
  });
  return {
    any: fc.oneof({ maxDepth: 3, depthSize: "small" }, fc.constant<Value>(null), tie("some")),
    some: fc.oneof(
      { maxDepth: 3, depthSize: "small" },
      scalars,
      items,
      items.map((list) => new List(list)),
      distinct.map((set) => new SetValue(set)),
      entries.map((map) => new MapValue(map)),
      fc.tuple(fc.constantFrom("point", "my/tag", "x1"), tie("any"))
        .map(([tag, rep]) => new Tagged(tag, rep)),
    ),
  };
}).some;
