import assert from "node:assert/strict";
import fc from "fast-check";
import {
  decodeRows,
  FrameError,
  type FrameFault,
  readFrames,
  rowFrames,
} from "../../../protocol/today/frames.ts";
import { type RowJson, rowJson } from "../../../kv/rows.ts";
import { parseAddr } from "../../../protocol/ids.ts";
import { type FixtureRow, readRows } from "../../support/fixtures.ts";
import { frameOf } from "../../support/snapshots.ts";

/** These bytes in pieces that end at the cuts. */
async function* pieces(
  bytes: Uint8Array,
  cuts: readonly number[] = [],
): AsyncGenerator<Uint8Array> {
  let start = 0;
  for (const cut of [...cuts, bytes.length]) {
    yield bytes.subarray(start, cut);
    start = cut;
  }
}

function joined(frames: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(frames.flatMap((frame) => [...frame]));
}

function isFault(fault: FrameFault): (thrown: unknown) => boolean {
  return (thrown) => thrown instanceof FrameError && thrown.fault === fault;
}

function frameOfText(text: string): Uint8Array {
  const payload = new TextEncoder().encode(text);
  return joined([
    new Uint8Array([payload.length >> 24, payload.length >> 16, payload.length >> 8]),
    new Uint8Array([payload.length]),
    payload,
  ]);
}

/** Texts as rows have them, and those that Transit has to quote. */
const textOf = fc.oneof(
  fc.string({ unit: "binary" }).map((text) => text.toWellFormed()),
  fc.constantFrom("", "~", "~~", "^", "^ ", "^0", "`", "~:keyword", "~#list", "~i12", '["^ "]'),
);
const addrOf = fc.maxSafeNat().map((n) => n % 2 ** 52);
const rowOf = fc.tuple(addrOf, textOf, fc.option(textOf));

Deno.test("Rows come out of frames as they went in, wherever the bytes are cut", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(rowOf, { maxLength: 4 }), { maxLength: 4 }),
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 }),
      async (lists, where) => {
        const bytes = joined(lists.map((rows) => frameOf(rows)));
        const cuts = where.map((x) => Math.round(x * bytes.length)).sort((x, y) => x - y);
        const payloads = await Array.fromAsync(readFrames(pieces(bytes, cuts)));
        assert.deepEqual(payloads.map((payload) => decodeRows(payload)), lists);
      },
    ),
  );
});

Deno.test("Frames that end early are malformed, at whatever byte", async () => {
  const first = frameOf([[0, "a", null]]);
  const bytes = joined([first, frameOf([[1, "b", "[2]"]])]);
  const whole = new Map([[0, 0], [first.length, 1], [bytes.length, 2]]);
  for (let end = 0; end <= bytes.length; end++) {
    const read = Array.fromAsync(readFrames(pieces(bytes.slice(0, end))));
    const count = whole.get(end);
    if (count === undefined) await assert.rejects(read, isFault("malformed"), `${end}`);
    else assert.equal((await read).length, count);
  }
});

Deno.test("A frame that says it is too long is refused before any of it has come", async () => {
  let asked = 0;
  async function* endless(): AsyncGenerator<Uint8Array> {
    yield new Uint8Array([0, 0, 1, 1]);
    for (;;) {
      asked++;
      yield new Uint8Array(16);
    }
  }
  await assert.rejects(Array.fromAsync(readFrames(endless(), 256)), isFault("too large"));
  assert.equal(asked, 0);
  const fits = joined([new Uint8Array([0, 0, 1, 0]), new Uint8Array(256)]);
  assert.equal((await Array.fromAsync(readFrames(pieces(fits), 256)))[0]?.length, 256);
});

Deno.test("A payload of rows is an array or a list of them, with or without addresses", () => {
  const rows = [[0, "a", null], [1, "~x", "[7]"]];
  const read = (text: string): unknown => decodeRows(frameOfText(text).subarray(4));
  assert.deepEqual(read('[[0,"a",null],[1,"~~x","[7]"]]'), rows);
  assert.deepEqual(read('["~#list",[[0,"a",null],["~#list",[1,"~~x","[7]"]]]]'), rows);
  assert.deepEqual(read('[[0,"a"]]'), [[0, "a"]]);
  assert.deepEqual(read("[]"), []);
});

Deno.test("A payload that holds no rows is malformed", () => {
  for (
    const text of [
      "",
      "[",
      "1",
      "null",
      '["~#constructor",[1]]',
      '["^ ","~:rows",[]]',
      '[[0,"a",null],1]',
      '[["0","a",null]]',
      '[[-1,"a",null]]',
      '[["~i9007199254740993","a",null]]',
      '[[0,"~:a",null]]',
      '[[0,"^5",null]]',
      "[[0,null,null]]",
      '[[0,"a",[7]]]',
      '[[0,"a",null,1]]',
      "[".repeat(100_000),
    ]
  ) {
    assert.throws(
      () => decodeRows(frameOfText(text).subarray(4)),
      isFault("malformed"),
      text.slice(0, 40),
    );
  }
  assert.throws(() => decodeRows(new Uint8Array([0x5b, 0xff, 0x5d])), isFault("malformed"));
});

Deno.test("A row may be as long as the limit, and no longer", () => {
  const payload = frameOf([[0, "abc", "[7]"], [1, "abcdef", null]]).subarray(4);
  assert.equal(decodeRows(payload, 6).length, 2);
  assert.throws(() => decodeRows(payload, 5), isFault("row too large"));
});

/** Rows as the store keeps them, in batches of so many. */
async function* kept(
  rows: readonly FixtureRow[],
  size: number,
): AsyncGenerator<readonly RowJson[]> {
  for (let start = 0; start < rows.length; start += size) {
    yield rows.slice(start, start + size).map(([number, content, addresses]) => {
      const addr = parseAddr(number);
      assert.ok(addr !== undefined);
      return rowJson({ addr, content, addresses });
    });
  }
}

Deno.test("A frame of kept rows is byte for byte the one that Transit's writer makes of them", async () => {
  const texts = fc.oneof(textOf, fc.constantFrom(',"addresses":', '\\","content":~', '"'));
  const rows = fc.array(fc.tuple(addrOf, texts, fc.option(texts)), { minLength: 1 });
  await fc.assert(
    fc.asyncProperty(rows, fc.integer({ min: 1, max: 5 }), async (some, size) => {
      const frames = await Array.fromAsync(rowFrames(kept(some, size)));
      assert.deepEqual(frames, [frameOf(some)]);
    }),
  );
});

Deno.test("A graph's rows are gathered to frames that hold them all, in order, none of them long", async () => {
  const rows = readRows("variety-medium");
  const frames = await Array.fromAsync(rowFrames(kept(rows, 500)));
  assert.ok(frames.length > 10);
  const longest = Math.max(
    ...rows.map(([, content, addresses]) => `${content}${addresses}`.length),
  );
  for (const frame of frames) assert.ok(frame.length < 1.3 * (512 * 1024 + longest));
  assert.deepEqual(frames.flatMap((frame) => decodeRows(frame.subarray(4))), rows);
  assert.deepEqual(await Array.fromAsync(rowFrames(kept([], 1))), []);
});
