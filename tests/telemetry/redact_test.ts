import assert from "node:assert/strict";
import { signToken } from "../../auth/sign.ts";
import { redact } from "../../telemetry/redact.ts";

Deno.test("A token is made unreadable wherever it stands in a text", async () => {
  const token = await signToken("0123456789abcdef0123456789abcdef", "alice", Date.now(), 60);
  assert.equal(redact(`"authorization":"Bearer ${token}"`), '"authorization":"Bearer [token]"');
  assert.equal(
    redact(`GET /sync/x?token=${token}&since=1 x`),
    "GET /sync/x?token=[token]&since=1 x",
  );
  assert.equal(redact("?since=1&token=anything"), "?since=1&token=[token]");
  assert.equal(redact("authorization: bearer anything, x"), "authorization: bearer [token], x");
  assert.equal(redact(`${token} ${token}`), "[token] [token]");
});

Deno.test("A text without a token stays as it is", () => {
  const text = '{"message":"Serving data/kv.sqlite3 at http://127.0.0.1:8787","path":"/graphs"}';
  assert.equal(redact(text), text);
});

Deno.test("What begins like a token is made unreadable with its end, or without", () => {
  assert.equal(redact("eyJhbGciOiJIUzI1NiJ9.eyJzdWIi"), "[token]");
  assert.equal(redact("x=eyJhbGciOiJIUzI1NiJ9, y"), "x=[token], y");
  assert.equal(redact("tests/keyJoin_test.ts"), "tests/keyJoin_test.ts");
});

Deno.test("A long text that is full of beginnings of tokens is walked through once", () => {
  // Quadratic time for so many would be hours, and the suite's end.
  assert.equal(redact("eyJ".repeat(1_000_000)), "[token]");
});
