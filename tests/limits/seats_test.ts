import assert from "node:assert/strict";
import { Seats } from "../../limits/seats.ts";
import { parseUserId, type UserId } from "../../protocol/ids.ts";

function user(sub: string): UserId {
  const id = parseUserId(sub);
  assert.ok(id !== undefined);
  return id;
}

Deno.test("A user has so many seats, and another his own", () => {
  const seats = new Seats(2);
  assert.ok(seats.take(user("alice")));
  assert.ok(seats.take(user("alice")));
  assert.equal(seats.take(user("alice")), undefined);
  assert.ok(seats.take(user("bob")));
});

Deno.test("A seat that is given back twice is one seat", () => {
  const seats = new Seats(2);
  const leave = seats.take(user("alice"));
  assert.ok(leave && seats.take(user("alice")));
  leave();
  leave();
  assert.ok(seats.take(user("alice")));
  assert.equal(seats.take(user("alice")), undefined);
});
