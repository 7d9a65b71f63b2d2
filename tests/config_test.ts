import assert from "node:assert/strict";
import { ConfigError, parseConfig, settings } from "../config.ts";
import { AUTH_SECRET } from "./support/secret.ts";

function problemsOf(variables: Record<string, string>): string {
  try {
    parseConfig(variables);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.message;
  }
  throw new Error("These settings were taken");
}

Deno.test("With a secret every other setting may be left out", () => {
  assert.deepEqual(parseConfig({ AUTH_SECRET, LOG_FORMAT: "json" }), {
    port: 8787,
    host: "0.0.0.0",
    kvPath: "data/kv.sqlite3",
    authSecret: AUTH_SECRET,
    oidcIssuer: undefined,
    oidcAudience: undefined,
    oidcJwksUrl: undefined,
    allowedUsers: undefined,
    signIn: { secret: AUTH_SECRET, allowed: [] },
    requestsPerSecond: 200,
    framesPerSecond: 200,
    socketsPerUser: 256,
    graphsPerUser: 500,
    maxBodyBytes: 104_857_600,
    rowsGraceMs: 900_000,
    assetsGraceMs: 3_600_000,
    nodeCacheBytes: 50_331_648,
    metrics: { kind: "off" },
    s3Endpoint: undefined,
    s3Bucket: undefined,
    s3Region: undefined,
    s3AccessKeyId: undefined,
    s3SecretAccessKey: undefined,
    trustProxy: false,
    logFormat: "json",
    logLevel: "info",
  });
});

Deno.test("An empty variable counts as one that is not set", () => {
  assert.equal(parseConfig({ AUTH_SECRET, PORT: "" }).port, 8787);
  assert.match(problemsOf({ AUTH_SECRET: "" }), /^AUTH_SECRET must be set to a text/);
});

Deno.test("A setting's text becomes a value of its type", () => {
  const config = parseConfig({
    AUTH_SECRET,
    PORT: "0",
    HOST: "::1",
    KV_PATH: ":memory:",
    OIDC_ISSUER: "https://issuer.example/pool",
    OIDC_AUDIENCE: "a, b,",
    OIDC_JWKS_URL: "https://issuer.example/keys",
    ALLOWED_USERS: "alice,bob@example.org",
    REQUESTS_PER_SECOND: "1",
    FRAMES_PER_SECOND: "2",
    SOCKETS_PER_USER: "3",
    GRAPHS_PER_USER: "4",
    MAX_BODY_MIB: "5",
    ROWS_GRACE_SECONDS: "180",
    ASSETS_GRACE_SECONDS: "120",
    NODE_CACHE_MIB: "32",
    METRICS: "on",
    TRUST_PROXY: "yes",
    LOG_FORMAT: "pretty",
    LOG_LEVEL: "debug",
  });
  assert.deepEqual(config, {
    port: 0,
    host: "::1",
    kvPath: ":memory:",
    authSecret: AUTH_SECRET,
    oidcIssuer: "https://issuer.example/pool",
    oidcAudience: ["a", "b"],
    oidcJwksUrl: "https://issuer.example/keys",
    allowedUsers: ["alice", "bob@example.org"],
    signIn: {
      secret: AUTH_SECRET,
      provider: {
        issuer: "https://issuer.example/pool",
        clientIds: ["a", "b"],
        keysUrl: "https://issuer.example/keys",
      },
      allowed: ["alice", "bob@example.org"],
    },
    requestsPerSecond: 1,
    framesPerSecond: 2,
    socketsPerUser: 3,
    graphsPerUser: 4,
    maxBodyBytes: 5_242_880,
    rowsGraceMs: 180_000,
    assetsGraceMs: 120_000,
    nodeCacheBytes: 33_554_432,
    metrics: { kind: "open" },
    s3Endpoint: undefined,
    s3Bucket: undefined,
    s3Region: undefined,
    s3AccessKeyId: undefined,
    s3SecretAccessKey: undefined,
    trustProxy: true,
    logFormat: "pretty",
    logLevel: "debug",
  });
});

Deno.test("On Deno Deploy the database is the assigned one, unless another is given", () => {
  const onDeploy = { AUTH_SECRET, DENO_DEPLOYMENT_ID: "abc" };
  assert.equal(parseConfig(onDeploy).kvPath, ":assigned:");
  assert.equal(parseConfig({ ...onDeploy, KV_PATH: "x.sqlite3" }).kvPath, "x.sqlite3");
  assert.equal(parseConfig(onDeploy).port, 8787);
});

Deno.test("The database may be at an address, which must be one that logs can show", () => {
  for (const url of ["http://127.0.0.1:4512", "https://kv.example.org/db"]) {
    assert.equal(parseConfig({ AUTH_SECRET, KV_PATH: url }).kvPath, url);
  }
  for (const url of ["http://", "https://user:password@kv.example.org"]) {
    const problem = problemsOf({ AUTH_SECRET, KV_PATH: url });
    assert.match(problem, /^KV_PATH must be an? /);
    assert.ok(!problem.includes("user:password"), problem);
  }
});

Deno.test("A wrong setting is named with what it must be and what it is", () => {
  for (const text of ["abc", "-1", "65536", "1.5", "8787 ", "1e3"]) {
    assert.equal(
      problemsOf({ AUTH_SECRET, PORT: text }),
      `PORT must be an integer from 0 to 65535: got ${JSON.stringify(text)}`,
    );
  }
  assert.match(problemsOf({ AUTH_SECRET, LOG_LEVEL: "loud" }), /^LOG_LEVEL must be .*"loud"$/);
});

Deno.test("All wrong settings are named at once", () => {
  const problems = problemsOf({ PORT: "x", LOG_FORMAT: "xml" }).split("\n");
  assert.deepEqual(problems.map((line) => line.split(" ")[0]), [
    "PORT",
    "LOG_FORMAT",
    "AUTH_SECRET",
  ]);
});

Deno.test("A secret below 32 bytes is refused and not repeated", () => {
  const problem = problemsOf({ AUTH_SECRET: "only-thirty-one-bytes-long-here" });
  assert.equal(problem, "AUTH_SECRET must be a text of at least 32 bytes");
});

Deno.test("METRICS is off, on, or a token, which is not repeated if it is too short", () => {
  const token = "scrape-me-if-you-can";
  assert.deepEqual(parseConfig({ AUTH_SECRET, METRICS: token }).metrics, { kind: "token", token });
  assert.equal(
    problemsOf({ AUTH_SECRET, METRICS: "only-15-letters" }),
    "METRICS must be off, on, or a token of at least 16 characters",
  );
});

Deno.test("A secret is measured in bytes, not in characters", () => {
  assert.equal(parseConfig({ AUTH_SECRET: "ü".repeat(16) }).authSecret, "ü".repeat(16));
});

const S3 = {
  S3_ENDPOINT: "https://s3.example.org",
  S3_BUCKET: "graphs",
  S3_REGION: "eu-1",
  S3_ACCESS_KEY_ID: "id",
  S3_SECRET_ACCESS_KEY: "hush",
};

Deno.test("The settings of S3 are given all or none", () => {
  assert.deepEqual(parseConfig({ AUTH_SECRET, ...S3 }).s3, {
    endpoint: "https://s3.example.org",
    bucket: "graphs",
    region: "eu-1",
    accessKeyId: "id",
    secretAccessKey: "hush",
  });
  assert.equal(parseConfig({ AUTH_SECRET, S3_BUCKET: "" }).s3, undefined);
  for (const name of Object.keys(S3)) {
    const problem = problemsOf({ AUTH_SECRET, ...S3, [name]: "" });
    assert.ok(problem.startsWith(`${name} must be set to `), problem);
    assert.ok(!problem.includes("\n"), problem);
  }
});

Deno.test("A wrong setting of S3 is named, the secret is not repeated", () => {
  for (const text of ["s3.example.org", "ftp://x", "https://u:p@x", "https://x?y"]) {
    assert.match(problemsOf({ AUTH_SECRET, ...S3, S3_ENDPOINT: text }), /^S3_ENDPOINT must be /);
  }
  const problem = problemsOf({ AUTH_SECRET, ...S3, S3_SECRET_ACCESS_KEY: "hu sh" });
  assert.equal(problem, "S3_SECRET_ACCESS_KEY must be a text without spaces");
});

const ISSUER = "https://issuer.example/pool";

Deno.test("A provider takes the place of a secret, under the names that Logseq's server uses too", () => {
  const signIn = { provider: { issuer: ISSUER, clientIds: ["a"] }, allowed: [] };
  const oidc = { OIDC_ISSUER: ISSUER, OIDC_AUDIENCE: "a" };
  const cognito = { COGNITO_ISSUER: ISSUER, COGNITO_CLIENT_ID: "a" };
  assert.deepEqual(parseConfig(oidc).signIn, signIn);
  assert.deepEqual(parseConfig(cognito).signIn, signIn);
  assert.deepEqual(parseConfig({ ...oidc, ...cognito }).signIn, signIn);
  assert.equal(
    problemsOf({ ...oidc, COGNITO_CLIENT_ID: "b" }),
    "OIDC_AUDIENCE and COGNITO_CLIENT_ID are one setting: they are set to different texts",
  );
  assert.match(
    problemsOf({ ...cognito, COGNITO_JWKS_URL: "keys" }),
    /^COGNITO_JWKS_URL must be an http\(s\) address: got "keys"$/,
  );
});

Deno.test("Without a secret and a provider nobody could sign in, which is said", () => {
  assert.match(problemsOf({}), /^AUTH_SECRET must be set to .*or OIDC_ISSUER and OIDC_AUDIENCE/);
});

Deno.test("A provider without an audience, and an audience without a provider, are refused", () => {
  for (const secret of [{}, { AUTH_SECRET }]) {
    assert.match(problemsOf({ ...secret, OIDC_ISSUER: ISSUER }), /^OIDC_AUDIENCE must be set to/);
    assert.match(problemsOf({ ...secret, OIDC_ISSUER: ISSUER, OIDC_AUDIENCE: "," }), /^OIDC_AUD/);
    assert.equal(
      problemsOf({ ...secret, COGNITO_CLIENT_ID: "a" }),
      "OIDC_ISSUER must be set, as OIDC_AUDIENCE is set",
    );
  }
  for (const issuer of ["issuer", "ftp://issuer.example", "https://a:b@issuer.example"]) {
    assert.match(problemsOf({ OIDC_ISSUER: issuer, OIDC_AUDIENCE: "a" }), /^OIDC_ISSUER must be/);
  }
});

Deno.test("A list that names nobody does not open the server to everyone", () => {
  assert.match(problemsOf({ AUTH_SECRET, ALLOWED_USERS: " , " }), /^ALLOWED_USERS must be subs/);
});

Deno.test("The settings are frozen", () => {
  assert.ok(Object.isFrozen(parseConfig({ AUTH_SECRET })));
});

Deno.test("The README lists every setting with its default and in the table's words", async () => {
  const readme = await Deno.readTextFile(new URL("../README.md", import.meta.url));
  const section = readme.split("\n### ").find((text) => text.startsWith("Settings\n")) ?? "";
  const listed = section.split("\n").filter((line) => line.startsWith("| `"))
    .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
  const wanted = Object.values(settings).map(({ name, default: text, about, alias }) => [
    `\`${name}\``,
    text === undefined ? "none" : `\`${text}\``,
    alias === undefined ? about : `${about}; also \`${alias}\``,
  ]);
  // Deno reads this one itself.
  assert.deepEqual(listed.filter(([name]) => name !== "`DENO_KV_ACCESS_TOKEN`"), wanted);
});
