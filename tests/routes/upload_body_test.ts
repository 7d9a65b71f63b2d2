import assert from "node:assert/strict";
import fc from "fast-check";
import { readUploadBody } from "../../routes/upload_body.ts";
import { MAX_IMPORTED_ROWS } from "../../sync/import.ts";
import type { FixtureRow } from "../support/fixtures.ts";
import { UNSHARED } from "../support/share.ts";
import { frameOf, gzipped } from "../support/snapshots.ts";

function requestOf(body: BodyInit, headers: Record<string, string> = {}): Request {
  return new Request("http://localhost/", { method: "POST", body, headers });
}

/** The bytes in pieces that end at the cuts. */
function pieces(bytes: Uint8Array, cuts: readonly number[]): ReadableStream<Uint8Array> {
  let start = 0;
  return ReadableStream.from([...cuts, bytes.length].map((cut) => {
    const piece = bytes.subarray(start, cut);
    start = cut;
    return piece;
  }));
}

Deno.test("Rows of a body are the same gzipped or not, whatever its header says and wherever it is cut", async () => {
  const rowOf = fc.tuple(fc.nat(), fc.string(), fc.option(fc.string()));
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(rowOf, { maxLength: 3 }), { minLength: 1, maxLength: 3 }),
      fc.boolean(),
      fc.constantFrom("gzip", "identity", undefined),
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 6 }),
      async (lists, gzip, encoding, where) => {
        const plain = new Uint8Array(lists.flatMap((rows) => [...frameOf(rows)]));
        const bytes = gzip ? gzipped(plain) : plain;
        const cuts = where.map((x) => Math.round(x * bytes.length)).sort((x, y) => x - y);
        const headers = encoding === undefined ? {} : { "content-encoding": encoding };
        const read = await readUploadBody(requestOf(pieces(bytes, cuts), headers), UNSHARED.hold);
        assert.ok(read.ok);
        const rows: FixtureRow[] = lists.flat();
        assert.equal(read.rows.count, rows.length);
        assert.deepEqual(
          read.rows.values().map(({ addr }) => addr),
          [...new Set(rows.map(([addr]) => addr))],
        );
      },
    ),
    { numRuns: 50 },
  );
});

Deno.test("A body is refused beyond its limit: as it is told, as it comes, and as it is inflated", async () => {
  const plain = frameOf([[0, "x".repeat(200_000), null]]);
  const packed = gzipped(plain);
  const refused = { ok: false, refusal: "body too large" };
  const read = (body: BodyInit, limit: number, headers?: Record<string, string>): unknown =>
    readUploadBody(requestOf(body, headers), UNSHARED.hold, limit);
  assert.deepEqual(await read(plain, plain.length - 1, { "content-length": "9" }), refused);
  assert.deepEqual(await read(packed, plain.length, { "content-length": "900000" }), refused);
  assert.deepEqual(await read(packed, plain.length - 1), refused);
  for (const body of [plain, packed]) {
    assert.ok((await readUploadBody(requestOf(body), UNSHARED.hold, plain.length)).ok);
  }
});

Deno.test("A bomb is not inflated to its end", async () => {
  const bomb = gzipped(new Uint8Array(64 * 1024 * 1024));
  let taken = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller): void {
      controller.enqueue(bomb.subarray(taken, taken + 1024));
      taken += 1024;
      if (taken >= bomb.length) controller.close();
    },
  });
  // The first frame says that it is of no bytes, and so is each that follows.
  const read = await readUploadBody(requestOf(body), UNSHARED.hold, 1024 * 1024);
  assert.deepEqual(read, { ok: false, refusal: "invalid body" });
  const limited = await readUploadBody(
    requestOf(gzipped(new Uint8Array([0, 16, 0, 0, ...new Uint8Array(1024 * 1024)]))),
    UNSHARED.hold,
    100_000,
  );
  assert.deepEqual(limited, { ok: false, refusal: "body too large" });
  assert.ok(taken < bomb.length, `${taken} of ${bomb.length}`);
});

Deno.test("A body of more rows than one may have is too large, though each frame is not", async () => {
  const rows = Array.from({ length: MAX_IMPORTED_ROWS / 2 }, (_, i): FixtureRow => [i, "", null]);
  const frame = frameOf(rows);
  const read = (...frames: readonly Uint8Array[]): ReturnType<typeof readUploadBody> =>
    readUploadBody(requestOf(ReadableStream.from(frames)), UNSHARED.hold);
  const most = await read(frame, frame);
  assert.ok(most.ok && most.rows.count === MAX_IMPORTED_ROWS);
  const refused = { ok: false, refusal: "body too large" };
  assert.deepEqual(await read(frame, frame, frameOf([[0, "", null]])), refused);
});

Deno.test("Frames without rows are as many as some, and no body of nothing else", async () => {
  const read = (empty: number): unknown =>
    readUploadBody(
      requestOf(new Blob([...Array(empty).fill(frameOf([])), frameOf([[0, "[]", null]])])),
      UNSHARED.hold,
    );
  assert.ok(
    (await readUploadBody(requestOf(new Blob([frameOf([]), frameOf([])])), UNSHARED.hold)).ok,
  );
  assert.deepEqual(await read(1000), { ok: false, refusal: "invalid body" });
});
