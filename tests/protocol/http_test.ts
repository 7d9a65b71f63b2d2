import assert from "node:assert/strict";
import { errorBodySchema, errorStatus, errorWords } from "../../protocol/errors.ts";
import {
  createGraphBodySchema,
  importBodySchema,
  parseAfter,
  parseLimit,
  parseSince,
} from "../../protocol/http.ts";

Deno.test("since is decimal digits, 0 when left out", () => {
  assert.equal(parseSince(undefined), 0);
  assert.equal(parseSince("0"), 0);
  assert.equal(parseSince("12"), 12);
  assert.equal(parseSince("9007199254740991"), 2 ** 53 - 1);
  for (
    const text of [
      "",
      " ",
      "-1",
      "1.0",
      "1e1",
      "0x1",
      "abc",
      "12abc",
      "+1",
      "9007199254740992",
      "９",
    ]
  ) {
    assert.equal(parseSince(text), undefined, text);
  }
});

Deno.test("after is an integer, -1 when left out or wrong", () => {
  for (const text of [undefined, "", "x", "1.5", "-1", "-5"]) assert.equal(parseAfter(text), -1);
  assert.equal(parseAfter("0"), 0);
  assert.equal(parseAfter("1000001"), 1000001);
  assert.equal(parseAfter("9".repeat(400)), Number.MAX_SAFE_INTEGER);
});

Deno.test("limit is 1 to 2000, 500 when left out or wrong", () => {
  for (const text of [undefined, "", "x", "1.5"]) assert.equal(parseLimit(text), 500);
  assert.equal(parseLimit("1"), 1);
  assert.equal(parseLimit("2000"), 2000);
  assert.equal(parseLimit("0"), 1);
  assert.equal(parseLimit("-3"), 1);
  assert.equal(parseLimit("2001"), 2000);
  assert.equal(parseLimit("9".repeat(400)), 2000);
});

Deno.test("A graph to be made has a name; a schema version may be left out or null", () => {
  const ok = (body: unknown): boolean => createGraphBodySchema.safeParse(body).success;
  assert.ok(ok({ graph_name: "notes" }));
  assert.ok(ok({ graph_name: "notes", schema_version: "65" }));
  assert.ok(ok({ graph_name: "notes", schema_version: null }));
  for (
    const body of [null, [], "x", 1, {}, { graph_name: 1 }, { graph_name: null }, {
      graph_name: "n",
      schema_version: 65,
    }, { graph_name: "x".repeat(1025) }]
  ) assert.ok(!ok(body), JSON.stringify(body));
});

Deno.test("Rows to be imported are addr, content and addresses as text, null or nothing", () => {
  const body = { rows: [[0, "a", null], [1, "b"], [2 ** 52, "c", "[1,2]"]] };
  assert.deepEqual(importBodySchema.parse(body), { reset: false, ...body });
  assert.equal(importBodySchema.parse({ reset: true, rows: [] }).reset, true);
  for (
    const wrong of [
      null,
      [],
      {},
      { rows: {} },
      { rows: null },
      { rows: [[]] },
      { rows: [[1]] },
      {
        rows: [[-1, "a", null]],
      },
      { rows: [[1.5, "a", null]] },
      { rows: [[2 ** 52 + 1, "a", null]] },
      { rows: [["1", "a", null]] },
      { rows: [[1, 2, null]] },
      {
        rows: [[1, "a", [1, 2]]],
      },
      { rows: [[1, "a", null, 4]] },
      { rows: [{ addr: 1, content: "a", addresses: null }] },
      {
        reset: "true",
        rows: [],
      },
      { reset: null, rows: [] },
      { reset: 1, rows: [] },
    ]
  ) assert.ok(!importBodySchema.safeParse(wrong).success, JSON.stringify(wrong));
});

Deno.test("Every error word has its status, and is an error body", () => {
  const byStatus: Record<number, string[]> = {};
  for (const word of errorWords) {
    (byStatus[errorStatus[word]] ??= []).push(word);
    assert.deepEqual(errorBodySchema.parse({ error: word }), { error: word });
  }
  assert.deepEqual(byStatus, {
    400: [
      "invalid host",
      "invalid query",
      "missing graph id",
      "missing body",
      "invalid body",
      "invalid tx",
      "invalid since",
      "invalid asset path",
      "checksum mismatch",
      "invalid snapshot",
      "user not found",
      "missing user rsa key pair",
      "duplicate graph name",
    ],
    401: ["unauthorized"],
    403: ["forbidden"],
    404: ["not found"],
    405: ["method not allowed"],
    409: [
      "graph not ready",
      "graph replaced",
      "no snapshot upload",
      "too many members",
      "too many graphs",
    ],
    413: ["snapshot row too large", "asset too large", "body too large"],
    415: ["unsupported content-encoding"],
    416: ["range not satisfiable"],
    429: ["too many requests", "too many sockets"],
    500: ["missing assets bucket", "server error"],
    503: ["sign-in unavailable", "not ready"],
  });
});
