import assert from "node:assert/strict";
import { socketEnd, userOf } from "../../auth/user.ts";

Deno.test("A user is what the claims say: sub, e-mail, name, and the first username that there is", () => {
  const claims = {
    "sub": "u1",
    "email": " a@example.org ",
    "name": "A",
    "cognito:username": "cog",
    "username": "plain",
  };
  const user = { id: "u1", email: "a@example.org", username: "cog", name: "A" };
  assert.deepEqual(userOf(claims), user);
  assert.deepEqual(userOf({ ...claims, preferred_username: "mine" }), {
    ...user,
    username: "mine",
  });
  assert.deepEqual(userOf({ sub: "u1", username: "plain" }), { id: "u1", username: "plain" });
  assert.deepEqual(userOf({ sub: "u1", exp: 5 }), { id: "u1", expiresAt: 5000 });
  assert.equal(userOf({ ...claims, sub: "" }), undefined);
});

Deno.test("An e-mail that nobody has verified is none, nor is a claim that is no text, blank or too long", () => {
  for (const email_verified of [false, "false"]) {
    const user = userOf({ sub: "u1", email: "a@example.org", email_verified });
    assert.deepEqual(user, { id: "u1", unverified: true });
  }
  for (const email_verified of [true, "true", undefined]) {
    const user = userOf({ sub: "u1", email: "a@example.org", email_verified });
    assert.equal(user?.email, "a@example.org");
  }
  for (const claim of [1, null, {}, "", "  ", "x".repeat(321)]) {
    assert.deepEqual(userOf({ sub: "u1", email: claim, name: claim, username: claim }), {
      id: "u1",
    });
  }
});

Deno.test("A claim may be as long as an address, and counts without the blanks around it", () => {
  const text = "x".repeat(320);
  assert.deepEqual(userOf({ sub: "u1", name: ` ${text} ` }), { id: "u1", name: text });
});

Deno.test("A socket may stay open until its token's end, or until no request would be taken with it", () => {
  assert.equal(socketEnd(100_000, 99_999), 100_000);
  assert.equal(socketEnd(100_000, 100_000), 160_000);
  assert.equal(socketEnd(100_000, 159_999), 160_000);
});
