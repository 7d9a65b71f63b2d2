import assert from "node:assert/strict";
import {
  assetExt,
  type GraphId,
  newGeneration,
  newGraphId,
  parseAddr,
  parseAssetName,
  parseEmail,
  parseGeneration,
  parseGraphId,
  parseSentId,
  parseT,
  parseUserId,
  type T,
} from "../../protocol/ids.ts";

Deno.test("A bare string or number is no id", () => {
  // @ts-expect-error only parseGraphId makes one
  const graph: GraphId = "7a0cbcd5-7bb2-4f7c-9d3f-0f0f6a1f5a4e";
  // @ts-expect-error only parseT makes one
  const t: T = 1;
  assert.ok([graph, t]);
});

Deno.test("A graph id is UUID text; upper case is folded", () => {
  const id = newGraphId();
  assert.equal(parseGraphId(id), id);
  assert.equal(parseGraphId(id.toUpperCase()), id);
  for (
    const value of ["", "x", `${id} `, id.slice(1), `{${id}}`, `${id}\n`, null, undefined, 1, [id]]
  ) {
    assert.equal(parseGraphId(value), undefined);
  }
});

Deno.test("A version and an address are non-negative safe integers", () => {
  for (const parse of [parseT, parseAddr]) {
    for (const value of [0, 1, Number.MAX_SAFE_INTEGER]) assert.equal(parse(value), value);
    for (const value of [-1, 0.5, NaN, Infinity, 2 ** 53, "1", null, undefined, 1n]) {
      assert.equal(parse(value), undefined);
    }
  }
});

Deno.test("The zero below zero is the zero", () => {
  for (const parse of [parseT, parseAddr]) assert.ok(Object.is(parse(-0), 0));
});

Deno.test("A generation is UUID text in lower case", () => {
  const generation = newGeneration();
  assert.equal(parseGeneration(generation), generation);
  for (const value of ["", generation.toUpperCase() + "A", ` ${generation}`, null, 1]) {
    assert.equal(parseGeneration(value), undefined);
  }
});

Deno.test("A user is a text of 1 to 512 units", () => {
  assert.equal(parseUserId("alice"), "alice");
  assert.equal(parseUserId("x".repeat(512))?.length, 512);
  for (const value of ["", "x".repeat(513), 1, null, undefined]) {
    assert.equal(parseUserId(value), undefined);
  }
});

Deno.test("Half a character is no part of a user or of an address, a whole one is", () => {
  assert.equal(parseUserId("\u{1f600}"), "\u{1f600}");
  assert.equal(parseEmail("\u{1f600}@Example.org"), "\u{1f600}@example.org");
  for (const half of ["\ud83d", "\ude00", "\ude00\ud83d"]) {
    assert.equal(parseUserId(`alice${half}`), undefined);
    assert.equal(parseEmail(`alice${half}@example.org`), undefined);
  }
});

Deno.test("Upper case is folded in an address, but no letter becomes one of another address", () => {
  assert.equal(parseEmail(" Karl@Example.org"), "karl@example.org");
  for (const [letter, other] of [["\u212a", "k"], ["\u212b", "\u00e5"]] as const) {
    assert.notEqual(parseEmail(`${letter}@example.org`), parseEmail(`${other}@example.org`));
    assert.notEqual(parseEmail(`me@${letter}.org`), parseEmail(`me@${other}.org`));
  }
});

Deno.test("An entry as it was sent is a UUID and 16 hex digits, or by an earlier server the UUID alone", () => {
  const uuid = "6f1e2d3c-0000-4000-8000-00000000000a";
  for (const id of [uuid, `${uuid}/0123456789abcdef`]) assert.equal(parseSentId(id), id);
  const others = ["", "/", `${uuid}/`, `${uuid}/0`, `${uuid}/0123456789ABCDEF`, `${uuid}/${uuid}`];
  for (const value of [...others, uuid.toUpperCase(), `${uuid}/0123456789abcdef/`, 1, null]) {
    assert.equal(parseSentId(value), undefined, String(value));
  }
});

Deno.test("A file's name is a UUID, a dot and an ext; nothing that could be a path", () => {
  const uuid = "6f1e2d3c-0000-4000-8000-00000000000a";
  for (
    const ext of [
      "png",
      "PNG",
      "7z",
      "x".repeat(255),
      "excalidraw",
      "c++",
      "0 (draft)",
      "jp,g & 'co'",
      "\u56fe",
      "\u{1f600}",
    ]
  ) {
    const name = parseAssetName(`${uuid.toUpperCase()}.${ext}`);
    assert.equal(name, `${uuid}.${ext}`);
    assert.equal(name === undefined ? undefined : assetExt(name), ext);
  }
  const exts = [
    "",
    "a.b",
    "a/b",
    "a\\b",
    "a%2fb",
    "..",
    "a\0b",
    "a\nb",
    "x".repeat(256),
    "\ud83d",
    "a?b",
    "a#b",
  ];
  for (const ext of exts) assert.equal(parseAssetName(`${uuid}.${ext}`), undefined, ext);
  for (const text of ["", ".", ".png", uuid, `x${uuid}.png`, `../${uuid}.png`, "notes.png"]) {
    assert.equal(parseAssetName(text), undefined, text);
  }
  for (const value of [undefined, null, 1, {}]) assert.equal(parseAssetName(value), undefined);
});
