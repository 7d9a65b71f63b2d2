import assert from "node:assert/strict";
import { deflateRawSync } from "node:zlib";
import fc from "fast-check";
import {
  COMPRESS_FROM,
  CorruptValueError,
  decodeParts,
  decodeText,
  encodeParts,
  encodeTextParts,
  type FoundPart,
  gatherParts,
  parsePart,
  partCount,
} from "../../kv/chunks.ts";
import { utf8 } from "../../kv/bytes.ts";
import { MAX_VALUE_BYTES, PART_BYTES } from "../../kv/limits.ts";

/** Bytes that no compression makes smaller; the same for the same seed. */
function noise(size: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(size);
  let state = seed;
  for (let i = 0; i < size; i++) {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9 | 0;
    bytes[i] = (state ^ (state >>> 13)) >>> 8;
  }
  return bytes;
}

/** Sizes around every border of the format, and between. */
const sizes = fc.oneof(
  fc.nat({ max: 3 * PART_BYTES + 10 }),
  fc.constantFrom(COMPRESS_FROM, PART_BYTES, 2 * PART_BYTES, 3 * PART_BYTES)
    .chain((border) => fc.integer({ min: border - 2, max: border + 2 })),
);

Deno.test("Any bytes of any size come back from their parts, and each part is a value that fits", () => {
  fc.assert(fc.property(sizes, fc.boolean(), fc.nat({ max: 300 }), (size, compressible, offset) => {
    const whole = compressible ? new Uint8Array(size + offset).fill(7) : noise(size + offset);
    // A view into something larger: its buffer is not its bytes.
    const bytes = whole.subarray(offset);
    const parts = encodeParts(bytes);
    assert.ok(parts.every((part) => part.length <= MAX_VALUE_BYTES));
    assert.equal(parts.length, partCount(parsePart(parts[0])));
    assert.deepEqual(decodeParts(parts), bytes);
  }));
});

Deno.test("Any short bytes come back", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 3000 }), (bytes) => {
    assert.deepEqual(decodeParts(encodeParts(bytes)), new Uint8Array(bytes));
  }));
});

Deno.test("Any text comes back", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 1500 }), (text) => {
    assert.equal(decodeText(decodeParts(encodeTextParts(text))), text);
  }));
  assert.equal(decodeText(decodeParts(encodeTextParts("\ufeffmarked"))), "\ufeffmarked");
});

Deno.test("A text is deflated from COMPRESS_FROM bytes on, if that makes it smaller", () => {
  const formats = [
    new Uint8Array(COMPRESS_FROM - 1),
    new Uint8Array(COMPRESS_FROM),
    noise(COMPRESS_FROM),
  ].map((bytes) => encodeParts(bytes)[0]?.[0]);
  assert.deepEqual(formats, [0, 1, 0]);
  assert.equal(encodeParts(new Uint8Array(1_000_000)).length, 1);
  assert.equal(encodeParts(noise(10 * PART_BYTES)).length, 10);
});

Deno.test("A missing part is an error, whichever it is", () => {
  const parts = encodeParts(noise(3 * PART_BYTES));
  assert.equal(parts.length, 3);
  for (const missing of [0, 1, 2]) {
    assert.throws(() => decodeParts(parts.toSpliced(missing, 1)), CorruptValueError);
  }
  assert.throws(() => decodeParts([]), CorruptValueError);
});

Deno.test("Parts of two values of the same size are no value", () => {
  const old = encodeParts(noise(2 * PART_BYTES, 1));
  const young = encodeParts(noise(2 * PART_BYTES, 2));
  assert.equal(old.length, young.length);
  const [first] = old;
  const [, second] = young;
  assert.ok(first && second);
  assert.throws(() => decodeParts([first, second]), CorruptValueError);
});

Deno.test("Parts beyond the count are not read", () => {
  const bytes = noise(PART_BYTES + 1);
  const stray = new Uint8Array([1, 2, 3]);
  assert.deepEqual(decodeParts([...encodeParts(bytes), stray, stray]), bytes);
});

Deno.test("Bytes that differ, an unknown format and a cut header are errors", () => {
  const [part] = encodeParts(new Uint8Array(2000));
  assert.ok(part !== undefined);
  for (let i = 0; i < part.length; i++) {
    const broken = part.with(i, (part[i] ?? 0) ^ 0x80);
    assert.throws(() => decodeParts([broken]), CorruptValueError, `byte ${i}`);
  }
  for (const cut of [0, 1, 8, 9, part.length - 1]) {
    assert.throws(() => decodeParts([part.subarray(0, cut)]), CorruptValueError, `${cut} bytes`);
  }
  const wrongly = deflateRawSync(new Uint8Array(100)).subarray(0, -1);
  const [raw] = encodeParts(wrongly);
  assert.throws(() => decodeParts([parsePart(raw).with(0, 1)]), CorruptValueError);
  assert.throws(() => decodeText(new Uint8Array([0xff])), CorruptValueError);
  for (const value of [undefined, null, "text", [1], {}]) {
    assert.throws(() => parsePart(value), CorruptValueError);
  }
});

Deno.test("A deflated value that doesn't say how long it is is read, as they were written once", () => {
  const bytes = utf8(JSON.stringify({ content: "a row of before ".repeat(100), addresses: null }));
  for (const size of [bytes.length, 10]) {
    const value = bytes.subarray(0, size);
    const [raw] = encodeParts(deflateRawSync(value, { level: 1 }));
    assert.deepEqual(decodeParts([parsePart(raw).with(0, 1)]), new Uint8Array(value));
  }
});

Deno.test("Parts survive the store, though they are views", async () => {
  using kv = await Deno.openKv(":memory:");
  const bytes = noise(2 * PART_BYTES + 5);
  for (const [part, value] of encodeParts(bytes).entries()) await kv.set(["x", part], value);
  const stored = await Array.fromAsync(kv.list({ prefix: ["x"] }));
  assert.deepEqual(decodeParts(stored.map(({ value }) => parsePart(value))), bytes);
});

Deno.test("Parts are read where they lie, in a buffer of something larger", () => {
  for (const bytes of [noise(10), new Uint8Array(5000), noise(2 * PART_BYTES)]) {
    const views = encodeParts(bytes).map((part) => {
      const larger = new Uint8Array(part.length + 20).fill(0xff);
      larger.set(part, 7);
      return larger.subarray(7, 7 + part.length);
    });
    assert.deepEqual(decodeParts(views), bytes);
  }
});

Deno.test("A scan gathers the parts of each value, and a gap shows when it is decoded", async () => {
  const [a, b, c] = [noise(10), noise(2 * PART_BYTES + 5), noise(PART_BYTES + 5)];
  const found = [
    ...partsOf(1, a),
    ...partsOf(2, b),
    ...partsOf(3, b).toSpliced(0, 1),
    ...partsOf(4, b).toSpliced(1, 1),
    ...partsOf(5, c),
  ];
  const values = (await Array.fromAsync(gatherParts(scan(found)))).flat();
  assert.deepEqual(values.map(({ id, parts }) => [id, parts.length]), [
    [1, 1],
    [2, 3],
    [3, 0],
    [4, 1],
    [5, 2],
  ]);
  const decoded = values.map(({ parts }) => {
    try {
      return decodeParts(parts);
    } catch (cause) {
      assert.ok(cause instanceof CorruptValueError);
      return "corrupt";
    }
  });
  assert.deepEqual(decoded, [a, b, "corrupt", "corrupt", c]);
  assert.deepEqual(await Array.fromAsync(gatherParts(scan([]))), []);
});

function partsOf(id: number, bytes: Uint8Array): FoundPart<number>[] {
  return encodeParts(bytes).map((bytes, part) => ({ id, part, bytes }));
}

/** In batches that are cut anywhere. */
async function* scan(
  parts: readonly FoundPart<number>[],
): AsyncGenerator<readonly FoundPart<number>[]> {
  for (let start = 0; start < parts.length; start += 2) yield parts.slice(start, start + 2);
}
