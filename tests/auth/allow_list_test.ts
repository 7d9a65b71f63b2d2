import assert from "node:assert/strict";
import { allowList } from "../../auth/allow_list.ts";
import { userOf } from "../../auth/user.ts";

function mayUse(entries: readonly string[], claims: Record<string, unknown>): boolean {
  const user = userOf(claims);
  assert.ok(user !== undefined);
  return allowList(entries)(user);
}

Deno.test("Without a list everyone is on it", () => {
  assert.equal(mayUse([], { sub: "alice" }), true);
});

Deno.test("A user is on the list by his sub, exactly", () => {
  assert.equal(mayUse(["bob", "alice"], { sub: "alice" }), true);
  assert.equal(mayUse(["bob", "alice"], { sub: "Alice" }), false);
  assert.equal(mayUse(["bob"], { sub: "alice" }), false);
});

Deno.test("A user is on the list by his e-mail, whatever its case, unless nobody has verified it", () => {
  const list = ["Alice@Example.org"];
  const email = "alice@example.ORG";
  assert.equal(mayUse(list, { sub: "1", email }), true);
  assert.equal(mayUse(list, { sub: "1", email, email_verified: true }), true);
  assert.equal(mayUse(list, { sub: "1", email, email_verified: false }), false);
  assert.equal(mayUse(list, { sub: "1", email, email_verified: "false" }), false);
  assert.equal(mayUse(list, { sub: "1", email: ["alice@example.org"] }), false);
  assert.equal(mayUse(list, { sub: "1", email: "bob@example.org" }), false);
  assert.equal(mayUse(list, { sub: "1" }), false);
  assert.equal(mayUse(["karl@example.org"], { sub: "1", email: "\u212aarl@example.org" }), false);
});
