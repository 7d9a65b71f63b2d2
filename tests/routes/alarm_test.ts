import assert from "node:assert/strict";
import { setAlarm } from "../../routes/alarm.ts";
import { within } from "../support/deadline.ts";

const YEAR_MS = 365 * 24 * 60 * 60 * 1000;

Deno.test("Of alarms only those go off whose time has come, and that were not called off", async () => {
  const wentOff: string[] = [];
  const soon = Date.now() + 20;
  // Longer than a timer can be: as one it would go off at once.
  const callOffFar = setAlarm(Date.now() + YEAR_MS, () => wentOff.push("far"));
  const callOffNever = setAlarm(Infinity, () => wentOff.push("never"));
  setAlarm(soon - 10, () => wentOff.push("called off"))();
  setAlarm(0, () => wentOff.push("past"));
  await within(new Promise<void>((resolve) => setAlarm(soon, resolve)), "an alarm");
  assert.ok(Date.now() >= soon);
  assert.deepEqual(wentOff, ["past"]);
  callOffFar();
  callOffNever();
});
