import assert from "node:assert/strict";
import { Seats } from "../../limits/seats.ts";
import { userOf } from "../support/user.ts";

Deno.test("A user has so many seats, and another his own", () => {
  const seats = new Seats(2);
  assert.ok(seats.take(userOf("alice")));
  assert.ok(seats.take(userOf("alice")));
  assert.equal(seats.take(userOf("alice")), undefined);
  assert.ok(seats.take(userOf("bob")));
});

Deno.test("A seat that is given back twice is one seat", () => {
  const seats = new Seats(2);
  const leave = seats.take(userOf("alice"));
  assert.ok(leave && seats.take(userOf("alice")));
  leave();
  leave();
  assert.ok(seats.take(userOf("alice")));
  assert.equal(seats.take(userOf("alice")), undefined);
});
