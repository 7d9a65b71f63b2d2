import assert from "node:assert/strict";
import fc from "fast-check";
import { jwtVerify, SignJWT } from "jose";
import type { KeySource } from "../../auth/key_source.ts";
import { signToken } from "../../auth/sign.ts";
import { createVerifier } from "../../auth/verify.ts";
import { loggedBy, textOf } from "../support/log.ts";
import { verifierOf } from "../support/verifier.ts";

const SECRET = "a secret of at least thirty-two bytes";
const OTHER = "another secret, also of more than 32 bytes";
const key = new TextEncoder().encode(SECRET);
const verify = await verifierOf(SECRET);

/** @param header the algorithm, by default the one that is ours */
function sign(claims: Record<string, unknown>, alg = "HS256"): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg }).sign(key);
}

function base64url(value: unknown): string {
  return btoa(JSON.stringify(value)).replaceAll("=", "").replaceAll("+", "-").replaceAll("/", "_");
}

Deno.test("A token that we signed speaks for its sub", async () => {
  assert.equal(await verify(await signToken(SECRET, "alice", Date.now(), 60)), "alice");
});

Deno.test("A token without an expiry is good", async () => {
  assert.equal(await verify(await sign({ sub: "alice" })), "alice");
});

Deno.test("A token signed with another secret is refused", async () => {
  assert.equal(await verify(await signToken(OTHER, "alice", Date.now(), 60)), undefined);
});

Deno.test("Clocks may differ by 60 seconds, not by more", async () => {
  const now = Math.floor(Date.now() / 1000);
  assert.equal(await verify(await sign({ sub: "alice", exp: now - 30 })), "alice");
  assert.equal(await verify(await sign({ sub: "alice", exp: now - 90 })), undefined);
  assert.equal(await verify(await sign({ sub: "alice", nbf: now + 30 })), "alice");
  assert.equal(await verify(await sign({ sub: "alice", nbf: now + 90 })), undefined);
});

Deno.test("A token of another algorithm is refused, though its signature is right", async () => {
  assert.equal(await verify(await sign({ sub: "alice" }, "HS512")), undefined);
});

Deno.test("A token of the algorithm none is refused", async () => {
  const [, payload, signature] = (await sign({ sub: "alice" })).split(".");
  const header = base64url({ alg: "none" });
  assert.equal(await verify(`${header}.${payload}.`), undefined);
  assert.equal(await verify(`${header}.${payload}.${signature}`), undefined);
});

Deno.test("A token with a long header is refused, whoever signed it, and one with a certificate is not", async () => {
  const withCertificate = (length: number): Promise<string> =>
    new SignJWT({ sub: "alice" })
      .setProtectedHeader({ alg: "HS256", x5c: ["x".repeat(length)] }).sign(key);
  assert.equal(await verify(await withCertificate(5000)), "alice");
  assert.equal(await verify(await withCertificate(7000)), undefined);
});

Deno.test("A token whose claims were changed is refused", async () => {
  const [header, , signature] = (await sign({ sub: "alice" })).split(".");
  assert.equal(await verify(`${header}.${base64url({ sub: "bob" })}.${signature}`), undefined);
});

Deno.test("A token without a sub that names someone is refused", async () => {
  for (const sub of [undefined, "", 1, null, ["alice"], "x".repeat(513)]) {
    assert.equal(await verify(await sign(sub === undefined ? {} : { sub })), undefined);
  }
});

Deno.test("The log says at debug why a token was refused, and neither the token nor what it claims", async () => {
  const now = Math.floor(Date.now() / 1000);
  const source: KeySource = {
    algorithms: ["HS256"],
    check: async (token) => (await jwtVerify(token, key, { issuer: "us", audience: "me" })).payload,
  };
  const strict = createVerifier([source], ({ id }) => id !== "mallory");
  const good = { sub: "secret-sub", iss: "us", aud: "me", exp: now + 60 };
  const refused: readonly (readonly [string, string])[] = [
    ["no token", "Refused a token: its algorithm is none of HS256"],
    [await sign(good, "HS512"), "Refused a token: its algorithm is none of HS256"],
    [await signToken(OTHER, "a", 0, 60), "Refused a token: ERR_JWS_SIGNATURE_VERIFICATION_FAILED"],
    [await sign({ ...good, exp: now - 90 }), "Refused a token: ERR_JWT_EXPIRED (exp)"],
    [
      await sign({ ...good, iss: "secret-issuer" }),
      "Refused a token: ERR_JWT_CLAIM_VALIDATION_FAILED (iss)",
    ],
    [
      await sign({ ...good, aud: "secret-client" }),
      "Refused a token: ERR_JWT_CLAIM_VALIDATION_FAILED (aud)",
    ],
    [await sign({ ...good, sub: "" }), "Refused a token: its sub names nobody"],
    [await sign({ ...good, sub: "mallory" }), "Refused mallory, who is not in ALLOWED_USERS"],
  ];
  for (const [token, line] of refused) {
    const logged = await loggedBy(() => strict(token));
    assert.deepEqual(logged.map((one) => [one.level, textOf(one)]), [["debug", line]]);
    const told = JSON.stringify(logged);
    assert.ok(!told.includes(token) && !told.includes("secret-"), told);
  }
  assert.deepEqual(await loggedBy(async () => await strict(await sign(good))), []);
});

Deno.test("Any text at all is refused and is no fault", async () => {
  const part = fc.oneof(fc.string(), fc.base64String(), fc.json().map(base64urlOrEmpty));
  const token = fc.oneof(fc.string(), fc.array(part, { maxLength: 5 }).map((p) => p.join(".")));
  await fc.assert(fc.asyncProperty(token, async (text) => {
    assert.equal(await verify(text), undefined);
  }));
});

function base64urlOrEmpty(json: string): string {
  try {
    return btoa(json);
  } catch {
    return ""; // characters that btoa can't take
  }
}
