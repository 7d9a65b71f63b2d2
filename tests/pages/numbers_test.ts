import assert from "node:assert/strict";
import { activityText, agoText, countText } from "../../pages/numbers.ts";

const HOUR = 60 * 60 * 1000;

Deno.test("Counts are as people write them", () => {
  assert.equal(countText(1234567), "1,234,567");
});

Deno.test("A time is as long ago as its largest whole unit, and never in the future", () => {
  const now = 100 * 24 * HOUR;
  assert.equal(agoText(now, now), "now");
  assert.equal(agoText(now + HOUR, now), "now");
  assert.equal(agoText(now - 59_999, now), "59 seconds ago");
  assert.equal(agoText(now - HOUR, now), "1 hour ago");
  assert.equal(agoText(now - 25 * HOUR, now), "yesterday");
  assert.equal(agoText(now - 90 * HOUR, now), "3 days ago");
});

Deno.test("Activity in words", () => {
  assert.equal(activityText([0, 0]), "No changes in the last 2 hours");
  assert.equal(activityText([0, 1]), "1 change in the last 2 hours");
  assert.equal(activityText([3, 1]), "4 changes in the last 2 hours, at most 3 in an hour");
});
