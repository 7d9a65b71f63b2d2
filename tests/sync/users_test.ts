import assert from "node:assert/strict";
import { findByEmail, readProfiles } from "../../kv/users.ts";
import { parseEmail } from "../../protocol/ids.ts";
import { type Person, Users } from "../../sync/users.ts";
import { counted, NOTHING } from "../support/counted_kv.ts";
import { dump } from "../support/kv.ts";
import { userOf } from "../support/user.ts";

const id = userOf("u1");
const HOUR_MS = 60 * 60 * 1000;

Deno.test("A user who is seen again costs nothing, one that tells something new a commit", async () => {
  using memory = await Deno.openKv(":memory:");
  const { kv, take } = counted(memory);
  const users = new Users(kv, () => 0);
  await users.seen({ id, email: "a@example.org" });
  assert.equal(take().commits, 1);
  await users.seen({ id, email: "a@example.org" });
  assert.deepEqual(take(), NOTHING);
  await users.seen({ id, email: "a@example.org", name: "A" });
  assert.equal(take().commits, 1);
  assert.deepEqual(await readProfiles(kv, [id, userOf("u2")]), [
    { email: "a@example.org", name: "A" },
    undefined,
  ]);
});

Deno.test("After an hour a user is looked at again, and written only if something is new", async () => {
  using memory = await Deno.openKv(":memory:");
  const { kv, take } = counted(memory);
  let ms = 1;
  const users = new Users(kv, () => ms);
  await users.seen({ id, email: "a@example.org" });
  const before = await dump(memory);
  take();
  ms += HOUR_MS + 1;
  await users.seen({ id, email: "a@example.org" });
  assert.deepEqual([take().commits, await dump(memory)], [0, before]);
});

Deno.test("Two who claim one e-mail at once leave it to one of them", async () => {
  using kv = await Deno.openKv(":memory:");
  const email = parseEmail("A@example.org");
  assert.ok(email !== undefined);
  const ids = [userOf("u1"), userOf("u2"), userOf("u3")];
  await Promise.all(ids.map((id) => new Users(kv, () => 0).seen({ id, email: "a@example.org" })));
  const owner = await findByEmail(kv, email);
  assert.ok(owner !== undefined && ids.includes(owner));
  // The others no longer find it theirs when they change.
  for (const id of ids) await new Users(kv, () => 0).seen({ id, email: `${id}@example.org` });
  assert.equal(await findByEmail(kv, email), undefined);
});

Deno.test("What a token is silent about stays, and an address that nobody has verified goes", async () => {
  using kv = await Deno.openKv(":memory:");
  const email = parseEmail("a@example.org");
  assert.ok(email !== undefined);
  const seen = async (told: Omit<Person, "id">): Promise<unknown> => {
    await new Users(kv, () => 0).seen({ id, ...told });
    return [await findByEmail(kv, email), ...await readProfiles(kv, [id])];
  };
  const known = { email: "a@example.org", name: "A" };
  assert.deepEqual(await seen(known), [id, known]);
  assert.deepEqual(await seen({ username: "a" }), [id, { ...known, username: "a" }]);
  assert.deepEqual(await seen({ unverified: true }), [undefined, { username: "a", name: "A" }]);
});
