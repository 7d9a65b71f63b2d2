import assert from "node:assert/strict";
import { SignJWT } from "jose";
import { signToken } from "../../auth/sign.ts";
import { within } from "../support/deadline.ts";
import { runProgram } from "../support/program.ts";
import { CLIENT_ID, makeKey, TestProvider } from "../support/provider.ts";
import { AUTH_SECRET } from "../support/secret.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { TestSocket, UpgradeRefused } from "../support/socket.ts";

const key = await makeKey("first", "RS256");
const hello = { type: "hello", client: "repo" };

/** As Logseq's own server is set up: no secret, the names of Cognito. */
function cognito(provider: TestProvider): Record<string, string> {
  return {
    AUTH_SECRET: "",
    COGNITO_ISSUER: provider.issuer,
    COGNITO_CLIENT_ID: `another,${CLIENT_ID}`,
    COGNITO_JWKS_URL: provider.keysUrl,
  };
}

function socketUrl(server: TestServer, graph: string): string {
  return `${server.url.replace("http", "ws")}/sync/${graph}`;
}

/** Status and error word by the header, by the query, and at a socket's upgrade. */
async function answersTo(server: TestServer, graph: string, token: string): Promise<unknown[]> {
  const headers = { authorization: `Bearer ${token}` };
  const query = `?token=${encodeURIComponent(token)}`;
  const answers = [
    await server.call("/graphs", { as: null, headers }),
    await server.call(`/graphs${query}`, { as: null }),
  ].map(({ status, body }) => `${status} ${JSON.stringify(body)}`);
  try {
    await using _socket = await TestSocket.open(`${socketUrl(server, graph)}${query}`);
    answers.push("opened");
  } catch (error) {
    assert.ok(error instanceof UpgradeRefused);
    answers.push(`${error.status} ${error.body}`);
  }
  return answers;
}

async function createGraph(server: TestServer, token: string): Promise<string> {
  const headers = { authorization: `Bearer ${token}` };
  const { body } = await server.call("/graphs", {
    as: null,
    headers,
    json: { graph_name: "notes" },
  });
  return String(Object(body)["graph_id"]);
}

Deno.test("No bad token of any kind gets in: 401 by header, by query and at the upgrade", async () => {
  await using provider = await TestProvider.start([key]);
  await using server = await startServer({ variables: cognito(provider) });
  const good = await provider.token();
  const graph = await createGraph(server, good);
  assert.deepEqual((await answersTo(server, graph, good)).at(-1), "opened");
  const access = { aud: undefined, token_use: "access", client_id: CLIENT_ID };
  assert.deepEqual((await answersTo(server, graph, await provider.token(access))).at(-1), "opened");

  const now = Math.floor(Date.now() / 1000);
  const [header, payload, signature] = good.split(".");
  const encoded = (value: unknown): string =>
    new TextEncoder().encode(JSON.stringify(value))
      .toBase64({ alphabet: "base64url", omitPadding: true });
  const claims = { iss: provider.issuer, aud: CLIENT_ID, sub: "alice", exp: now + 60 };
  const hs256 = (secret: string): Promise<string> =>
    new SignJWT(claims).setProtectedHeader({ alg: "HS256", kid: key.kid })
      .sign(new TextEncoder().encode(secret));
  const published = await (await fetch(provider.keysUrl)).text();
  const bad: Record<string, string> = {
    "claims changed": `${header}.${encoded({ ...claims, sub: "mallory" })}.${signature}`,
    "no signature": `${header}.${payload}.`,
    "alg none": `${encoded({ alg: "none" })}.${payload}.`,
    "alg none, signed": `${encoded({ alg: "none", kid: key.kid })}.${payload}.${signature}`,
    "HS256 with the public key": await hs256(published),
    "HS256 where no secret is set": await hs256(AUTH_SECRET),
    "another's key of the same kid": await provider.token({}, await makeKey("first", "RS256")),
    "unknown kid": await provider.token({}, await makeKey("second", "RS256")),
    "expired": await provider.token({ exp: now - 90 }),
    "without an end": await provider.token({ exp: undefined }),
    "not yet": await provider.token({ nbf: now + 90 }),
    "wrong issuer": await provider.token({ iss: "https://elsewhere.example" }),
    "wrong audience": await provider.token({ aud: "elsewhere" }),
    "wrong client": await provider.token({ ...access, client_id: "elsewhere" }),
    "client without token_use": await provider.token({ ...access, token_use: undefined }),
    "of no one": await provider.token({ sub: undefined }),
    "garbage": "a.b.c",
  };
  for (const [kind, token] of Object.entries(bad)) {
    const answers = await answersTo(server, graph, token);
    assert.deepEqual(answers, Array(3).fill('401 {"error":"unauthorized"}'), kind);
  }
});

Deno.test("With a secret beside the provider, tokens of both are good, and only theirs", async () => {
  await using provider = await TestProvider.start([key]);
  await using server = await startServer({
    variables: { OIDC_ISSUER: provider.issuer, OIDC_AUDIENCE: CLIENT_ID },
  });
  const graph = await createGraph(server, await provider.token());
  assert.equal((await answersTo(server, graph, await server.token("alice"))).at(-1), "opened");
  const other = await signToken("another secret of more than 32 bytes", "alice", Date.now(), 60);
  assert.equal((await answersTo(server, graph, other)).at(0), '401 {"error":"unauthorized"}');
});

Deno.test("While the provider is down and no key is known the answer is 503 with retry-after", async () => {
  await using provider = await TestProvider.start([key]);
  provider.state = "down";
  await using server = await startServer({ variables: cognito(provider) });
  const headers = { authorization: `Bearer ${await provider.token()}` };
  const response = await server.fetch("/graphs", { as: null, headers });
  assert.equal(response.status, 503);
  assert.ok(Number(response.headers.get("retry-after")) > 0);
  assert.equal(response.headers.get("access-control-allow-origin"), "*");
  assert.deepEqual(await response.json(), { error: "sign-in unavailable" });
});

Deno.test("Who is not on the list of ALLOWED_USERS is 403 everywhere, with a token that is good", async () => {
  await using provider = await TestProvider.start([key]);
  const ALLOWED_USERS = "alice, bob@example.org";
  await using server = await startServer({ variables: { ...cognito(provider), ALLOWED_USERS } });
  const graph = await createGraph(server, await provider.token());
  const bob = { sub: "b", email: "bob@example.org" };
  const { status } = await server.call("/graphs", {
    as: null,
    headers: { authorization: `Bearer ${await provider.token({ ...bob, email_verified: true })}` },
  });
  assert.equal(status, 200);
  for (
    const claims of [{ sub: "mallory" }, { ...bob, email_verified: false }, { sub: "b" }]
  ) {
    const answers = await answersTo(server, graph, await provider.token(claims));
    assert.deepEqual(answers, Array(3).fill('403 {"error":"forbidden"}'));
  }
});

Deno.test("A token's end closes its sockets with 4401, and no others", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  const token = (seconds: number): Promise<string> =>
    signToken(AUTH_SECRET, "alice", Date.now(), seconds);
  const open = async (seconds: number): Promise<TestSocket> =>
    await TestSocket.open(`${socketUrl(server, graph)}?token=${await token(seconds)}`);
  await using year = await open(365 * 24 * 60 * 60);
  // Taken since clocks may differ: open for as long as requests would be taken.
  await using late = await open(-30);
  await using ending = await open(2);
  assert.deepEqual(await ending.ask(hello), { type: "hello", t: 0 });
  assert.deepEqual(await within(ending.closed, "the end of the token"), {
    code: 4401,
    reason: "token expired",
  });
  for (const socket of [year, late]) {
    assert.deepEqual(await socket.ask(hello), { type: "hello", t: 0 });
  }
});

Deno.test("No token gets into the log, good or bad, wherever it is sent", async () => {
  await using provider = await TestProvider.start([key]);
  await using program = runProgram("main.ts", [], {
    ...cognito(provider),
    AUTH_SECRET,
    HOST: "127.0.0.1",
    PORT: "0",
    KV_PATH: ":memory:",
    LOG_FORMAT: "json",
    LOG_LEVEL: "trace",
  });
  const [, url] = await program.printed(/"url":"(http:[^"]+)"/);
  const tokens = [
    await provider.token(),
    await provider.token({ exp: 1 }),
    await provider.token({ aud: "elsewhere" }),
    await provider.token({}, await makeKey("second")),
    await signToken(AUTH_SECRET, "alice", Date.now(), 60),
    await signToken(`${AUTH_SECRET}x`, "alice", Date.now(), 60),
    "not-a-jwt-but-secret-all-the-same",
  ];
  const request = async (path: string, headers: Record<string, string> = {}): Promise<void> => {
    await (await fetch(`${url}${path}`, { headers })).body?.cancel();
  };
  for (const state of ["down", "up"] as const) {
    provider.state = state;
    for (const token of tokens) {
      await request("/graphs", { authorization: `Bearer ${token}` });
      await request(`/graphs?token=${token}`);
      await request(`/sync/${crypto.randomUUID()}?since=1&token=${token}`, {
        connection: "upgrade",
        upgrade: "websocket",
      });
    }
  }
  const { stdout, stderr } = await program.end("SIGTERM");
  const printed = stdout + stderr;
  assert.match(printed, /"path":"\/graphs"/);
  assert.match(printed, /Cannot get the keys/);
  for (const token of tokens) {
    for (const part of [token, ...token.split(".").slice(1)]) {
      assert.ok(!printed.includes(part), printed);
    }
  }
  assert.ok(!printed.includes(AUTH_SECRET));
});
