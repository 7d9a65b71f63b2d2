import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { Paced } from "../../sync/paced.ts";
import { until } from "../support/deadline.ts";

const HOUR_MS = 3_600_000;

function counting(pauseMs: number): { readonly paced: Paced; readonly done: () => number } {
  let count = 0;
  return { paced: new Paced(() => void count++, () => pauseMs), done: () => count };
}

Deno.test("What is wanted first is done at once, what is wanted in the pause waits for its end, and is one", async () => {
  const { paced, done } = counting(20);
  paced.soon();
  assert.equal(done(), 1);
  paced.soon();
  paced.soon();
  assert.equal(done(), 1);
  await until(() => done() === 2);
  await delay(50);
  assert.equal(done(), 2);
  paced.soon();
  assert.equal(done(), 3);
  paced.stop();
});

Deno.test("Without a pause each is done", () => {
  const { paced, done } = counting(0);
  paced.soon();
  paced.soon();
  assert.equal(done(), 2);
});

Deno.test("The pause is as long as it is when the work has been done", () => {
  let [count, pauseMs] = [0, 0];
  const paced = new Paced(() => void (pauseMs = ++count * HOUR_MS), () => pauseMs);
  paced.soon();
  paced.soon();
  assert.equal(count, 1);
  paced.stop();
});

Deno.test("When it is stopped nothing is done any more, though it was wanted", async () => {
  const { paced, done } = counting(5);
  paced.soon();
  paced.soon();
  paced.stop();
  paced.stop();
  paced.soon();
  await delay(20);
  assert.equal(done(), 1);
});
