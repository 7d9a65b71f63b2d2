import assert from "node:assert/strict";
import { tokenOf } from "../../auth/token.ts";

function tokenIn(query: string, authorization?: string): string | undefined {
  const headers = authorization === undefined ? undefined : { authorization };
  return tokenOf(new Request(`http://localhost/graphs${query}`, headers && { headers }));
}

Deno.test("A token comes in the Authorization header or in the query", () => {
  assert.equal(tokenIn("", "Bearer a.b.c"), "a.b.c");
  assert.equal(tokenIn("", "bearer  a.b.c"), "a.b.c");
  assert.equal(tokenIn("?token=a.b.c"), "a.b.c");
  assert.equal(tokenIn("?since=1&token=a.b.c"), "a.b.c");
});

Deno.test("Of both, the header's token is taken", () => {
  assert.equal(tokenIn("?token=query", "Bearer header"), "header");
});

Deno.test("Another scheme, an empty token and none at all are no token", () => {
  assert.equal(tokenIn(""), undefined);
  assert.equal(tokenIn("?token="), undefined);
  assert.equal(tokenIn("", "Bearer"), undefined);
  assert.equal(tokenIn("", "Bearer "), undefined);
  assert.equal(tokenIn("", "Basic YTpi"), undefined);
  assert.equal(tokenIn("", "Bearer a b"), undefined);
});
