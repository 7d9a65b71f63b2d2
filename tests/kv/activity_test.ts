import assert from "node:assert/strict";
import fc from "fast-check";
import { type Activity, ACTIVITY_HOURS, recentBatches, withBatch } from "../../kv/activity.ts";

const HOUR = 60 * 60 * 1000;
const NONE = Array.from({ length: ACTIVITY_HOURS }, () => 0);

Deno.test("A graph without batches had none in each of the last 24 hours", () => {
  assert.deepEqual(recentBatches(undefined, 7 * HOUR), NONE);
});

Deno.test("A batch counts into its hour, which moves back as time goes on, and out after a day", () => {
  const one = withBatch(undefined, 500_000 * HOUR + 1);
  assert.deepEqual(one, { hour: 500_000, counts: [1] });
  const three = withBatch(withBatch(one, 500_002 * HOUR), 500_003 * HOUR - 1);
  assert.deepEqual(three, { hour: 500_002, counts: [2, 0, 1] });
  assert.deepEqual(recentBatches(three, 500_002 * HOUR), [...NONE.slice(3), 1, 0, 2]);
  assert.deepEqual(recentBatches(three, 500_025 * HOUR), [2, ...NONE.slice(1)]);
  assert.deepEqual(recentBatches(three, 500_026 * HOUR), NONE);
  assert.deepEqual(withBatch(three, 501_000 * HOUR), { hour: 501_000, counts: [1] });
});

Deno.test("A clock that goes back counts into the last hour", () => {
  const activity = withBatch(withBatch(undefined, 9 * HOUR), 8 * HOUR);
  assert.deepEqual(activity, { hour: 9, counts: [2] });
  assert.deepEqual(recentBatches(activity, 7 * HOUR), [...NONE.slice(1), 2]);
});

Deno.test("The counts are those of a plain list of times", () => {
  const steps = fc.array(fc.integer({ min: 0, max: 30 * HOUR }), { maxLength: 60 });
  fc.assert(fc.property(steps, (gaps) => {
    let now = 400_000 * HOUR;
    let activity: Activity | undefined;
    const times: number[] = [];
    for (const gap of gaps) {
      now += gap;
      times.push(now);
      activity = withBatch(activity, now);
      assert.ok(activity.counts.length <= ACTIVITY_HOURS);
    }
    const hour = Math.floor(now / HOUR);
    const expected = NONE.map((_, i) => {
      const wanted = hour - (ACTIVITY_HOURS - 1) + i;
      return times.filter((time) => Math.floor(time / HOUR) === wanted).length;
    });
    assert.deepEqual(recentBatches(activity, now), expected);
  }));
});
