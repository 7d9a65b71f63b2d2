/** Arbitrary transactions about few entities, attributes and values, so that their forms meet. */
import fc from "fast-check";
import type { Datom } from "../../datascript/datom.ts";
import { fact, IDENTITY, MANY, REF, schemaOf, type Written } from "./written.ts";

const COMPONENT = { ":db/isComponent": true };

export const SCHEMA = schemaOf({
  "name": {},
  "nick": MANY,
  "rank": { ":db/index": true },
  "badge": { ":db/unique": ":db.unique/value" },
  "email": IDENTITY,
  "phone": IDENTITY,
  "alias": { ...MANY, ...IDENTITY },
  "friend": REF,
  "likes": { ...REF, ...MANY },
  "part": { ...REF, ...COMPONENT },
  "parts": { ...REF, ...MANY, ...COMPONENT },
  "twin": { ...REF, ...IDENTITY },
});

/** What is there before, so that much of what the forms name is found. */
export const BASE: readonly Datom[] = [
  fact(1, "email", "a"),
  fact(1, "friend", 2),
  fact(1, "nick", "a"),
  fact(1, "phone", "b"),
  fact(2, "badge", "a"),
  fact(2, "email", "b"),
  fact(2, "parts", 3),
  fact(3, "alias", "a"),
  fact(3, "alias", "b"),
  fact(3, "phone", "a"),
  fact(3, "twin", 1),
];

export const TEMPIDS = [-1, -2, -3, "t1", "t2"] as const;

const PLAIN = [":name", ":nick", ":rank", ":badge"];
const IDENTITIES = [":email", ":phone", ":alias"];
const REFS = [":friend", ":likes", ":part", ":parts"];
const REVERSED = [":_friend", ":_likes", ":_part", ":_parts"];

const ADD = fc.constant(":db/add");
const texts = fc.constantFrom("a", "b", "c");
const eids = fc.integer({ min: 1, max: 5 });
const tempids = fc.constantFrom(...TEMPIDS);
const byIdentity = fc.tuple(fc.constantFrom(...IDENTITIES), texts);
const lookups = fc.oneof(
  { weight: 3, arbitrary: byIdentity },
  fc.tuple(fc.constant(":badge"), texts),
  fc.tuple(fc.constant(":twin"), eids),
);
const known = fc.oneof({ weight: 4, arbitrary: eids }, { weight: 2, arbitrary: lookups });
const anyone = fc.oneof(
  { weight: 5, arbitrary: tempids },
  { weight: 3, arbitrary: eids },
  { weight: 2, arbitrary: byIdentity },
  fc.constant(":db/current-tx"),
);
/** As a value: a tempid is refused there unless something is said of it. */
const others = fc.oneof(
  { weight: 1, arbitrary: tempids },
  { weight: 6, arbitrary: eids },
  byIdentity,
);

/**
 * DataScript takes a retraction of an identity for an assertion where it names, by number, an entity
 * that a tempid of the transaction became. And it refuses one whose value is a lookup ref that finds
 * nobody, which clients send and this server takes (datascript.md §4).
 */
const retractions = fc.oneof(
  fc.tuple(fc.constant(":db/retract"), known, fc.constantFrom(...PLAIN), texts),
  fc.tuple(fc.constant(":db/retract"), lookups, fc.constantFrom(...IDENTITIES), texts),
  fc.tuple(fc.constant(":db/retract"), known, fc.constantFrom(...REFS), eids),
  fc.tuple(
    fc.constantFrom(":db/retract", ":db.fn/retractAttribute"),
    known,
    fc.constantFrom(...PLAIN, ...REFS),
  ),
  fc.tuple(fc.constantFrom(":db/retractEntity", ":db.fn/retractEntity"), known),
);

const swaps = fc.oneof(
  fc.tuple(
    fc.constantFrom(":db/cas", ":db.fn/cas"),
    known,
    fc.constantFrom(...PLAIN, ...IDENTITIES),
    fc.option(texts),
    texts,
  ),
  fc.tuple(fc.constant(":db.fn/cas"), known, fc.constantFrom(...REFS), fc.option(known), known),
);

type Pair = fc.Arbitrary<[string, Written]>;

/** `:twin` is in no map: one about the twin of nobody is in DataScript about any entity's. */
function mapsOf(ids: fc.Arbitrary<Written>, ...pairs: readonly Pair[]): fc.Arbitrary<Written> {
  return fc.tuple(ids, upTo(4, fc.oneof(...pairs))).map(([id, attributes]) => ({
    ...id !== null && { ":db/id": id },
    ...Object.fromEntries(attributes),
  }));
}

function upTo<Element>(
  maxLength: number,
  elements: fc.Arbitrary<Element>,
): fc.Arbitrary<Element[]> {
  return fc.array(elements, { maxLength, size: "max" });
}

const plain: Pair = fc.tuple(fc.constantFrom(...PLAIN), texts);
const nicks: Pair = fc.tuple(fc.constant(":nick"), upTo(2, texts));

const flatMaps = mapsOf(
  anyone,
  plain,
  nicks,
  fc.tuple(fc.constantFrom(...IDENTITIES), texts),
  fc.tuple(fc.constant(":alias"), upTo(2, texts)),
  fc.tuple(fc.constantFrom(...REFS, ...REVERSED), others),
  fc.tuple(fc.constantFrom(":likes", ":parts", ...REVERSED), upTo(2, others)),
);

/** Nothing in an inner map says a second time how it is tied to the one around it. */
const innermost = mapsOf(fc.constant(null), plain, nicks);
const inner = mapsOf(
  fc.constant(null),
  plain,
  nicks,
  fc.tuple(fc.constantFrom(...REFS), fc.oneof(others, innermost)),
);
const nestedMaps = mapsOf(
  fc.option(anyone),
  plain,
  nicks,
  fc.tuple(fc.constantFrom(...REFS), fc.oneof(others, inner)),
  fc.tuple(fc.constantFrom(":likes", ":parts"), upTo(2, fc.oneof(others, inner))),
  fc.tuple(fc.constantFrom(...REVERSED), fc.oneof(others, innermost)),
  fc.tuple(fc.constantFrom(...REVERSED), upTo(2, fc.oneof(others, innermost))),
);

/**
 * The forms of one transaction: about all attributes, or about those that nobody is found by, so that
 * nothing turns out to be somebody after something else was tried.
 *
 * Where DataScript then begins anew, it gives eids that others have kept from before. That shows only
 * where all have tempids, so maps have an id then, and none is in another one.
 */
export function transactions(withIdentities: boolean): fc.Arbitrary<readonly Written[]> {
  const names = withIdentities ? [...PLAIN, ...IDENTITIES] : PLAIN;
  const refs = withIdentities ? [...REFS, ":twin"] : REFS;
  return fc.array(
    fc.oneof<fc.MaybeWeightedArbitrary<Written>[]>(
      { weight: 3, arbitrary: fc.tuple(ADD, anyone, fc.constantFrom(...names), texts) },
      { weight: 3, arbitrary: fc.tuple(ADD, anyone, fc.constantFrom(...refs), others) },
      { weight: 4, arbitrary: withIdentities ? flatMaps : nestedMaps },
      { weight: 3, arbitrary: retractions },
      { weight: 1, arbitrary: swaps },
    ),
    { minLength: 1, maxLength: 5, size: "max" },
  );
}
