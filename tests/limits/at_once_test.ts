import assert from "node:assert/strict";
import { AtOnce } from "../../limits/at_once.ts";
import { userOf } from "../support/user.ts";

Deno.test("A user's work waits for his own, in its order, and for nobody else's", async () => {
  const atOnce = new AtOnce(2);
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const run = (sub: string, name: string): Promise<void> =>
    atOnce.run(userOf(sub), () => {
      begun.push(name);
      return new Promise((resolve) => ends.set(name, resolve));
    });
  const all = [run("alice", "a"), run("alice", "b"), run("alice", "c"), run("alice", "d")];
  all.push(run("bob", "e"));
  await Promise.resolve();
  assert.deepEqual(begun.toSorted(), ["a", "b", "e"]);
  ends.get("b")?.();
  await all[1];
  while (begun.length < 4) await Promise.resolve();
  assert.equal(begun.at(-1), "c");
  for (const name of ["a", "c", "e"]) ends.get(name)?.();
  await all[2];
  while (begun.length < 5) await Promise.resolve();
  ends.get("d")?.();
  await Promise.all(all);
});

Deno.test("Work that fails lets the next one begin", async () => {
  const atOnce = new AtOnce(1);
  const failed = atOnce.run(userOf("alice"), () => Promise.reject(new Error("gone")));
  const next = atOnce.run(userOf("alice"), () => Promise.resolve("done"));
  await assert.rejects(failed, /gone/);
  assert.equal(await next, "done");
});
