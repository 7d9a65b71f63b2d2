import assert from "node:assert/strict";
import { UserRates } from "../../limits/user_rates.ts";
import { userOf } from "../support/user.ts";

Deno.test("A user may do ten seconds' worth at once, then it says how long to wait", () => {
  const rates = new UserRates(1);
  for (let i = 0; i < 10; i++) assert.equal(rates.take(userOf("alice")), 0);
  const waitMs = rates.take(userOf("alice"));
  assert.ok(waitMs > 0 && waitMs <= 1000, `${waitMs} ms`);
  assert.equal(rates.take(userOf("bob")), 0);
});

Deno.test("Those who wait come in their order, no sooner than the rate lets them", async () => {
  const rates = new UserRates(100);
  const start = performance.now();
  const order: number[] = [];
  await Promise.all(
    Array.from({ length: 1020 }, (_, i) => rates.wait(userOf("alice")).then(() => order.push(i))),
  );
  assert.ok(performance.now() - start >= 190);
  assert.deepEqual(order, order.toSorted((a, b) => a - b));
});
