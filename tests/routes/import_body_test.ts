import assert from "node:assert/strict";
import { UNSHARED } from "../support/share.ts";
import { readImportBody } from "../../routes/import_body.ts";
import { MAX_IMPORTED_ROWS } from "../../sync/import.ts";

const MAX = 10_000;

function bodyOf(text: string | Uint8Array<ArrayBuffer>, pieces = 3): Request {
  const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
  const size = Math.max(1, Math.ceil(bytes.length / pieces));
  const chunks = Array.from(
    { length: Math.ceil(bytes.length / size) },
    (_, i) => bytes.slice(i * size, (i + 1) * size),
  );
  return new Request("http://localhost/", { method: "POST", body: ReadableStream.from(chunks) });
}

Deno.test("An import body has the rows, the last of each address, and their count", async () => {
  const rows = [[1, "one", null], [2, "zwei ü 😀", "[3]"], [1, "again"]];
  for (const pieces of [1, 2, 7, 1000]) {
    const text = JSON.stringify({ more: [[9]], reset: true, rows });
    const read = await readImportBody(bodyOf(text, pieces), MAX, UNSHARED.hold);
    assert.ok(read.ok);
    assert.deepEqual([read.reset, read.rows.count], [true, 3]);
    assert.deepEqual(read.rows.values().map((row) => row.addr), [1, 2]);
  }
  const plain = await readImportBody(bodyOf('{"rows":[]}'), MAX, UNSHARED.hold);
  assert.ok(plain.ok);
  assert.deepEqual([plain.reset, plain.rows.count], [false, 0]);
});

Deno.test("An import body that is none is refused", async () => {
  const wrong = [
    "null",
    "[]",
    "{}",
    '{"rows":{}}',
    '{"rows":[[1,"x"]]',
    '{"rows":[[1]]}',
    '{"rows":[[-1,"x",null]]}',
    '{"rows":[[1.5,"x",null]]}',
    '{"rows":[[1,2,null]]}',
    '{"rows":[[1,"x",null,null]]}',
    '{"rows":[[1,"x",[2]]]}',
    '{"rows":[],"reset":"yes"}',
    '{"rows":[,]}',
    '{"rows":[,[1,"x"]]}',
    '{"rows":[[1,"x"],]}',
    '{"rows":[[1,"x"],,[2,"x"]]}',
    '{"rows":[[1,"x"][2,"x"]]}',
    '{"rows":[[1,"x"]}',
    '{"rows":[[1,"x"]]]}',
    '{"more\\"rows":[[1,"x"]]}',
    '["rows":[[1,"x"]]]',
    "rows",
  ];
  for (const text of wrong) {
    for (const pieces of [1, 3, 1000]) {
      const read = await readImportBody(bodyOf(text, pieces), MAX, UNSHARED.hold);
      assert.deepEqual(read, { ok: false, refusal: "invalid body" }, text);
    }
  }
  const latin = Uint8Array.from(
    new TextEncoder().encode('{"rows":[[1,"x",null]]}'),
    (byte) => byte === 0x78 ? 0xfc : byte,
  );
  const invalid = await readImportBody(bodyOf(latin), MAX, UNSHARED.hold);
  assert.deepEqual(invalid, { ok: false, refusal: "invalid body" });
});

Deno.test("An import body is missing when empty, and too large beyond the limit", async () => {
  const missing = await readImportBody(bodyOf(""), MAX, UNSHARED.hold);
  assert.deepEqual(missing, { ok: false, refusal: "missing body" });
  const long = JSON.stringify({ rows: [[1, "x".repeat(MAX), null]] });
  const large = await readImportBody(bodyOf(long), MAX, UNSHARED.hold);
  assert.deepEqual(large, { ok: false, refusal: "body too large" });
});

Deno.test("An import body of more rows than one may have is too large, wherever they are in it", async () => {
  const row = '[1,"",null]';
  const rows = (count: number): string => Array(count).fill(row).join(",");
  const most = await readImportBody(
    bodyOf(`{"rows":[${rows(MAX_IMPORTED_ROWS)}]}`),
    1000 * MAX,
    UNSHARED.hold,
  );
  assert.ok(most.ok && most.rows.count === MAX_IMPORTED_ROWS);
  for (
    const text of [
      `{"rows":[${rows(MAX_IMPORTED_ROWS + 1)}]}`,
      `{"rows":[${rows(MAX_IMPORTED_ROWS)}],"rows" :[${row}]}`,
      `{"\\u0072ows":[${rows(MAX_IMPORTED_ROWS + 1)}]}`,
    ]
  ) {
    assert.deepEqual(await readImportBody(bodyOf(text), 1000 * MAX, UNSHARED.hold), {
      ok: false,
      refusal: "body too large",
    });
  }
});

Deno.test("A row that is too long is named", async () => {
  const read = (length: number): ReturnType<typeof readImportBody> =>
    readImportBody(
      bodyOf(`{"rows":[[1,"${"x".repeat(length)}","y"]]}`),
      10_000 * MAX,
      UNSHARED.hold,
    );
  assert.ok((await read(16 * 1024 * 1024 - 1)).ok);
  assert.deepEqual(await read(16 * 1024 * 1024), {
    ok: false,
    refusal: "snapshot row too large",
  });
});
