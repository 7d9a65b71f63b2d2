import assert from "node:assert/strict";
import { exportJWK, exportSPKI, SignJWT } from "jose";
import { allowList } from "../../auth/allow_list.ts";
import { providerSource } from "../../auth/provider.ts";
import { KEYS_TIMING, type KeysTiming } from "../../auth/remote_keys.ts";
import { secretSource } from "../../auth/secret.ts";
import { signToken } from "../../auth/sign.ts";
import { createVerifier, openVerifier, type VerifyToken } from "../../auth/verify.ts";
import { until, within } from "../support/deadline.ts";
import { CLIENT_ID, makeKey, TestProvider } from "../support/provider.ts";
import { answerOf } from "../support/verifier.ts";

const SECRET = "a secret of at least thirty-two bytes";
const rsa = await makeKey("rsa", "RS256");
const first = await makeKey("first");
const second = await makeKey("second");

function verifierFor(provider: TestProvider, timing: Partial<KeysTiming> = {}): VerifyToken {
  const { issuer } = provider;
  const clientIds = ["another", CLIENT_ID];
  const source = providerSource({ issuer, clientIds }, { ...KEYS_TIMING, ...timing });
  return createVerifier([source], allowList([]));
}

Deno.test("A token of the provider speaks for its sub, RS256 as well as ES256", async () => {
  await using provider = await TestProvider.start([rsa, first]);
  const verify = verifierFor(provider);
  assert.equal(await answerOf(verify, await provider.token({}, rsa)), "alice");
  assert.equal(await answerOf(verify, await provider.token({ sub: "bob" }, first)), "bob");
  assert.deepEqual(provider.asked, ["/pool/.well-known/openid-configuration", "/keys"]);
});

Deno.test("Keys are fetched from their address, if it is given, and once for many tokens", async () => {
  await using provider = await TestProvider.start([first]);
  const { issuer, keysUrl } = provider;
  const source = providerSource({ issuer, keysUrl, clientIds: [CLIENT_ID] });
  const verify = createVerifier([source], allowList([]));
  const token = await provider.token();
  const answers = await Promise.all(Array.from({ length: 20 }, () => answerOf(verify, token)));
  assert.deepEqual(new Set(answers), new Set(["alice"]));
  assert.deepEqual(provider.asked, ["/keys"]);
});

Deno.test("An ID token says whom it is for in aud, Cognito's access token in client_id", async () => {
  await using provider = await TestProvider.start([first]);
  const verify = verifierFor(provider);
  const none = { aud: undefined };
  const cases: [Record<string, unknown>, string][] = [
    [{ aud: CLIENT_ID, token_use: "id" }, "alice"],
    [{ aud: ["elsewhere", "another"], token_use: undefined }, "alice"],
    [{ ...none, client_id: CLIENT_ID, token_use: "access" }, "alice"],
    [{ aud: "elsewhere" }, "unauthorized"],
    [{ aud: ["elsewhere"] }, "unauthorized"],
    [{ aud: [] }, "unauthorized"],
    [{ aud: "" }, "unauthorized"],
    [none, "unauthorized"],
    [{ ...none, client_id: "elsewhere", token_use: "access" }, "unauthorized"],
    [{ ...none, client_id: [CLIENT_ID], token_use: "access" }, "unauthorized"],
    [{ ...none, client_id: CLIENT_ID, token_use: "id" }, "unauthorized"],
    [{ ...none, client_id: CLIENT_ID, token_use: undefined }, "unauthorized"],
    [{ aud: "elsewhere", client_id: CLIENT_ID, token_use: "access" }, "unauthorized"],
    [{ token_use: "refresh" }, "unauthorized"],
  ];
  for (const [claims, answer] of cases) {
    const token = await provider.token(claims);
    assert.equal(await answerOf(verify, token), answer, JSON.stringify(claims));
  }
});

Deno.test("A token of another issuer, without an end, beyond its end or before its start is refused", async () => {
  await using provider = await TestProvider.start([first]);
  const verify = verifierFor(provider);
  const now = Math.floor(Date.now() / 1000);
  const cases: [Record<string, unknown>, string][] = [
    [{ iss: `${provider.issuer}/` }, "unauthorized"],
    [{ iss: "https://elsewhere.example" }, "unauthorized"],
    [{ iss: undefined }, "unauthorized"],
    [{ exp: undefined }, "unauthorized"],
    [{ exp: now - 30 }, "alice"],
    [{ exp: now - 90 }, "unauthorized"],
    [{ nbf: now + 30 }, "alice"],
    [{ nbf: now + 90 }, "unauthorized"],
    [{ sub: undefined }, "unauthorized"],
    [{ sub: "" }, "unauthorized"],
  ];
  for (const [claims, answer] of cases) {
    const token = await provider.token(claims);
    assert.equal(await answerOf(verify, token), answer, JSON.stringify(claims));
  }
});

Deno.test("A token can't choose the key of one source with the algorithm of the other", async () => {
  await using provider = await TestProvider.start([rsa]);
  const { issuer } = provider;
  const verify = createVerifier([
    await secretSource(SECRET),
    providerSource({ issuer, clientIds: [CLIENT_ID] }),
  ], allowList([]));
  const claims = { iss: issuer, aud: CLIENT_ID, sub: "alice", exp: Date.now() / 1000 + 60 };
  const sign = (alg: string, key: Uint8Array | CryptoKey): Promise<string> =>
    new SignJWT(claims).setProtectedHeader({ alg, kid: "rsa" }).sign(key);
  const text = new TextEncoder();
  const spki = await exportSPKI(rsa.publicKey);
  assert.equal(await answerOf(verify, await sign("HS256", text.encode(SECRET))), "alice");
  for (
    const material of [spki, spki.trim(), JSON.stringify(await exportJWK(rsa.publicKey)), CLIENT_ID]
  ) {
    const key = text.encode(material.padEnd(32));
    assert.equal(await answerOf(verify, await sign("HS256", key)), "unauthorized");
  }
  const good = await provider.token();
  assert.equal(await answerOf(verify, good), "alice");
  const [, payload, signature] = good.split(".");
  for (const alg of ["none", "None", "HS256", "HS512", "RS512", "PS256", "ES256", "EdDSA", ""]) {
    const header = text.encode(JSON.stringify({ alg, kid: "rsa" }));
    const forged = header.toBase64({ alphabet: "base64url", omitPadding: true });
    assert.equal(await answerOf(verify, `${forged}.${payload}.${signature}`), "unauthorized", alg);
    assert.equal(await answerOf(verify, `${forged}.${payload}.`), "unauthorized", alg);
  }
});

Deno.test("Who isn't on the list is forbidden, whichever source's token he has, and only if it is good", async () => {
  await using provider = await TestProvider.start([first]);
  const { issuer } = provider;
  const verify = await openVerifier({
    secret: SECRET,
    provider: { issuer, clientIds: [CLIENT_ID] },
    allowed: ["alice"],
  });
  const signed = (sub: string, lifetime: number): Promise<string> =>
    signToken(SECRET, sub, Date.now(), lifetime);
  assert.equal(await answerOf(verify, await provider.token()), "alice");
  assert.equal(await answerOf(verify, await signed("alice", 60)), "alice");
  assert.equal(await answerOf(verify, await provider.token({ sub: "bob" })), "forbidden");
  assert.equal(await answerOf(verify, await signed("bob", 60)), "forbidden");
  assert.equal(await answerOf(verify, await signed("bob", -90)), "unauthorized");
});

Deno.test("A key that a token brings along, or that only shares a name, is no key", async () => {
  await using provider = await TestProvider.start([first]);
  const verify = verifierFor(provider);
  const impostor = await makeKey("first");
  assert.equal(await answerOf(verify, await provider.token({}, impostor)), "unauthorized");
  const claims = {
    iss: provider.issuer,
    aud: CLIENT_ID,
    sub: "alice",
    exp: Date.now() / 1000 + 60,
  };
  const jwk = await exportJWK(impostor.publicKey);
  const token = await new SignJWT(claims)
    .setProtectedHeader({ alg: "ES256", jwk, jku: provider.keysUrl })
    .sign(impostor.privateKey);
  assert.equal(await answerOf(verify, token), "unauthorized");
});

Deno.test("A rotation is picked up with the first token of the new key", async () => {
  await using provider = await TestProvider.start([first]);
  const verify = verifierFor(provider, { cooldownMs: 0 });
  const old = await provider.token();
  assert.equal(await answerOf(verify, old), "alice");
  provider.keys = [second];
  assert.equal(await answerOf(verify, await provider.token()), "alice");
  assert.equal(await answerOf(verify, old), "unauthorized");
});

Deno.test("Tokens of unknown keys ask the provider once in the cooldown, however many come", async () => {
  await using provider = await TestProvider.start([first]);
  const verify = verifierFor(provider);
  await answerOf(verify, await provider.token());
  const asked = provider.asked.length;
  const unknown = await provider.token({}, second);
  for (let i = 0; i < 10; i++) assert.equal(await answerOf(verify, unknown), "unauthorized");
  assert.equal(provider.asked.length, asked);
});

Deno.test("A key that was withdrawn is good no longer than keys stay fresh", async () => {
  await using provider = await TestProvider.start([first, second]);
  const verify = verifierFor(provider, { freshMs: 0 });
  const token = await provider.token();
  assert.equal(await answerOf(verify, token), "alice");
  provider.keys = [second];
  assert.equal(await answerOf(verify, token), "unauthorized");
});

Deno.test("While the provider is down the last keys are used, and it is left alone for a while", async () => {
  await using provider = await TestProvider.start([first]);
  const verify = verifierFor(provider, { freshMs: 0 });
  const token = await provider.token();
  assert.equal(await answerOf(verify, token), "alice");
  provider.state = "down";
  const asked = provider.asked.length;
  for (let i = 0; i < 10; i++) assert.equal(await answerOf(verify, token), "alice");
  assert.equal(provider.asked.length, asked + 1);
  assert.equal(await answerOf(verify, await provider.token({ aud: "x" })), "unauthorized");
});

Deno.test("Keys that are too old are not used, however long the provider is down", async () => {
  await using provider = await TestProvider.start([first]);
  const verify = verifierFor(provider, { freshMs: 0, staleMs: 0 });
  const token = await provider.token();
  assert.equal(await answerOf(verify, token), "alice");
  provider.state = "down";
  assert.equal(await answerOf(verify, token), "sign-in unavailable");
});

Deno.test("Without keys and provider nobody can tell; once it is back, the same token is good", async () => {
  await using provider = await TestProvider.start([first]);
  const verify = verifierFor(provider, { retryMs: 0, timeoutMs: 50 });
  const token = await provider.token();
  provider.state = "down";
  assert.equal(await answerOf(verify, token), "sign-in unavailable");
  provider.state = "stuck";
  assert.equal(await answerOf(verify, token), "sign-in unavailable");
  assert.equal(await answerOf(verify, "x.y.z"), "unauthorized");
  provider.state = "up";
  // A machine that is busy may not answer in time at first.
  const isGood = async (): Promise<boolean> => await answerOf(verify, token) === "alice";
  await within(until(isGood), "the provider's keys");
});

Deno.test("A provider that was down is asked again in time, though the clock went back meanwhile", async () => {
  await using provider = await TestProvider.start([first]);
  const verify = verifierFor(provider, { retryMs: 20 });
  const token = await provider.token();
  provider.state = "down";
  assert.equal(await answerOf(verify, token), "sign-in unavailable");
  provider.state = "up";
  const clock = Date.now;
  try {
    // As far as jose still takes a token for one that was made before.
    Date.now = () => clock() - 30_000;
    const good = async (): Promise<boolean> => await answerOf(verify, token) === "alice";
    await within(until(good), "the provider to be asked again");
  } finally {
    Date.now = clock;
  }
});

Deno.test("A description of another issuer, or keys that are none, are not trusted", async () => {
  await using provider = await TestProvider.start([first]);
  const verify = verifierFor(provider, { retryMs: 0 });
  provider.claimedIssuer = "https://elsewhere.example";
  assert.equal(await answerOf(verify, await provider.token()), "sign-in unavailable");
  assert.deepEqual(provider.asked.includes("/keys"), false);
});
