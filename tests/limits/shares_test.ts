import assert from "node:assert/strict";
import { Shares } from "../../limits/shares.ts";
import { userOf } from "../support/user.ts";

Deno.test("A user holds up to his share, and another his own", () => {
  const shares = new Shares(10);
  assert.ok(shares.of(userOf("alice")).hold(4));
  assert.ok(shares.of(userOf("alice")).hold(6));
  assert.equal(shares.of(userOf("alice")).hold(1), false);
  assert.ok(shares.of(userOf("bob")).hold(10));
});

Deno.test("What is given back can be held again, and what was refused was not taken", () => {
  const shares = new Shares(10);
  assert.ok(shares.of(userOf("alice")).hold(8));
  assert.equal(shares.of(userOf("alice")).hold(8), false);
  shares.of(userOf("alice")).release(8);
  assert.ok(shares.of(userOf("alice")).hold(10));
  assert.equal(shares.of(userOf("alice")).hold(1), false);
});

Deno.test("Where one may be of any size, whoever holds nothing gets more than a share, and nothing beside it", () => {
  const shares = new Shares(10, true);
  assert.ok(shares.of(userOf("alice")).hold(11));
  assert.equal(shares.of(userOf("alice")).hold(1), false);
  shares.of(userOf("alice")).release(11);
  assert.ok(shares.of(userOf("alice")).hold(1));
});
