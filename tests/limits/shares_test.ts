import assert from "node:assert/strict";
import { Shares } from "../../limits/shares.ts";
import { userOf } from "../support/user.ts";

Deno.test("A user holds up to his share, and another his own", () => {
  const shares = new Shares(10);
  assert.ok(shares.hold(userOf("alice"), 4));
  assert.ok(shares.hold(userOf("alice"), 6));
  assert.equal(shares.hold(userOf("alice"), 1), false);
  assert.ok(shares.hold(userOf("bob"), 10));
});

Deno.test("What is given back can be held again, and what was refused was not taken", () => {
  const shares = new Shares(10);
  assert.ok(shares.hold(userOf("alice"), 8));
  assert.equal(shares.hold(userOf("alice"), 8), false);
  shares.release(userOf("alice"), 8);
  assert.ok(shares.hold(userOf("alice"), 10));
  assert.equal(shares.hold(userOf("alice"), 1), false);
});
