import assert from "node:assert/strict";
import { Datom } from "../../datascript/datom.ts";
import { CorruptRowError } from "../../datascript/errors.ts";
import { decodeRoot } from "../../datascript/root.ts";
import { Schema } from "../../datascript/schema.ts";
import { decode, encode } from "../../datascript/transit.ts";
import { equal, Keyword, MapValue, type Value } from "../../datascript/value.ts";
import { FixtureNodes } from "../support/memory_db.ts";
import { fact, schemaOf, value, type Written } from "../support/written.ts";

for (const set of ["small-a", "medium-a", "variety-small", "variety-medium"]) {
  Deno.test(`The schema of ${set} is the same after decode and encode`, () => {
    const { root } = new FixtureNodes(set);
    const { schema } = decodeRoot(root);
    const map = decode(root);
    assert.ok(map instanceof MapValue);
    assert.ok(equal(decode(encode(schema.encode())), map.get("schema") ?? null));
    assert.ok(schema.isIdentity("block/uuid") && schema.isIdentity("db/ident"));
    assert.ok(schema.isRef("block/parent") && !schema.isMany("block/parent"));
    assert.ok(schema.isRef("block/tags") && schema.isMany("block/tags"));
    assert.ok(schema.isIndexed("block/order") && !schema.isRef("block/order"));
  });
}

/** What a schema says of an attribute. */
function told(schema: Schema, a: string): readonly string[] {
  return Object.entries({
    ref: schema.isRef(a),
    many: schema.isMany(a),
    unique: schema.isUnique(a),
    identity: schema.isIdentity(a),
    indexed: schema.isIndexed(a),
    component: schema.isComponent(a),
  }).flatMap(([name, holds]) => holds ? [name] : []);
}

const PROPERTIES: readonly (readonly [properties: Written, told: readonly string[]])[] = [
  [{}, []],
  [{ ":db/valueType": ":db.type/ref" }, ["ref", "indexed"]],
  [{ ":db/valueType": ":db.type/string" }, []],
  [{ ":db/cardinality": ":db.cardinality/many" }, ["many"]],
  [{ ":db/cardinality": ":db.cardinality/one" }, []],
  [{ ":db/unique": ":db.unique/identity" }, ["unique", "identity", "indexed"]],
  [{ ":db/unique": ":db.unique/value" }, ["unique", "indexed"]],
  [{ ":db/index": true }, ["indexed"]],
  [{ ":db/index": false }, []],
  [{ ":db/isComponent": true, ":db/valueType": ":db.type/ref" }, ["ref", "indexed", "component"]],
  [{ ":db/doc": "…" }, []],
];

for (const [properties, expected] of PROPERTIES) {
  const text = encode(value(properties));
  Deno.test(`An attribute with ${text} is ${expected.join(", ") || "plain"}, given or by datoms`, () => {
    assert.deepEqual(told(schemaOf({ "x": properties }), "x"), expected);

    const map = value(properties);
    assert.ok(map instanceof MapValue);
    const own = map.entries.map(([k, v]) => new Datom(7, encode([k]).slice(4, -2), v, 1));
    const ident = fact(7, "db/ident", ":x");
    for (const datoms of [[ident, ...own], [...own, ident]]) {
      const schema = datoms.reduce((before, datom) => before.with(datom), Schema.EMPTY);
      assert.deepEqual(told(schema, "x"), expected);
      const expectedMap: MapValue = new MapValue([...map.entries, [
        value(":db/ident"),
        value(":x"),
      ]]);
      const all: MapValue = new MapValue([[value(":x"), expectedMap], [7, value(":x")]]);
      assert.ok(equal(schema.encode(), all), encode(schema.encode()));
    }
  });
}

const ATTRIBUTE = Schema.EMPTY
  .with(fact(7, "db/ident", ":x"))
  .with(fact(7, "db/cardinality", ":db.cardinality/many"));

function retracted(e: number, a: string, v: Written): Datom {
  return new Datom(e, a, value(v), 1, false);
}

Deno.test("A property of an attribute goes with its datom, and nothing else does", () => {
  const schema = ATTRIBUTE.with(fact(7, "db/index", true))
    .with(retracted(7, "db/cardinality", ":db.cardinality/many"));
  assert.deepEqual(told(schema, "x"), ["indexed"]);
  assert.deepEqual(told(ATTRIBUTE, "x"), ["many"]);
});

Deno.test("A renamed attribute is under its new ident what it was under its old one", () => {
  const schema = ATTRIBUTE.with(retracted(7, "db/ident", ":x")).with(fact(7, "db/ident", ":y"));
  assert.deepEqual(told(schema, "y"), ["many"]);
  assert.deepEqual(told(schema, "x"), []);
  assert.ok(equal(
    schema.encode(),
    new MapValue([
      [value(":y"), value({ ":db/cardinality": ":db.cardinality/many", ":db/ident": ":y" })],
      [7, value(":y")],
    ]),
  ));
});

Deno.test("Datoms of an entity that is no attribute leave the attributes as they are", () => {
  const schema = ATTRIBUTE.with(fact(9, "db/index", true)).with(retracted(8, "db/index", true));
  assert.deepEqual(told(schema, "x"), ["many"]);
});

Deno.test("The ident is unique in every schema", () => {
  assert.deepEqual(told(Schema.EMPTY, "db/ident"), ["unique", "identity", "indexed"]);
});

Deno.test("Ref attributes are told, all of them and no others", () => {
  const ref = { ":db/valueType": ":db.type/ref" };
  const schema = schemaOf({ "a": ref, "b": {}, "c/d": ref });
  assert.deepEqual(schema.refAttributes().toSorted(), ["a", "c/d"]);
  const later = schema.with(fact(1, "db/ident", ":e")).with(
    fact(1, "db/valueType", ":db.type/ref"),
  );
  assert.deepEqual(later.refAttributes().toSorted(), ["a", "c/d", "e"]);
});

for (const written of [null, 5, [], { ":a": 1 }, { "a": {} }]) {
  Deno.test(`${JSON.stringify(written)} is no schema`, () => {
    assert.throws(() => Schema.decode(value(written)), CorruptRowError);
  });
}

Deno.test("An attribute that becomes a ref, or is none any more, has the place among them that it would have anew", () => {
  const names = Array.from({ length: 40 }, (_, i) => `x/a${i}`);
  const owner = {};
  let schema = Schema.EMPTY;
  const said = (e: number, a: string, v: Value, added = true): void => {
    schema = schema.with(new Datom(e, a, v, 1, added), owner);
  };
  for (const [e, name] of names.entries()) {
    schema.refAttributes();
    said(e, "db/ident", new Keyword(name));
    said(e, "db/valueType", new Keyword("db.type/ref"));
    if (e % 3 === 0) said(e, "db/valueType", new Keyword("db.type/ref"), false);
    if (e % 5 === 0) said(e, "db/ident", new Keyword(name), false);
  }
  assert.deepEqual(schema.refAttributes(), Schema.decode(schema.encode()).refAttributes());
  assert.equal(
    schema.refAttributes().length,
    names.filter((_, e) => e % 3 > 0 && e % 5 > 0).length,
  );
});
