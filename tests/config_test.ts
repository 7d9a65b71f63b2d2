import assert from "node:assert/strict";
import { ConfigError, parseConfig, settings } from "../config.ts";

const AUTH_SECRET = "0123456789abcdef0123456789abcdef";

function problemsOf(variables: Record<string, string>): string {
  try {
    parseConfig(variables);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.message;
  }
  throw new Error("These settings were taken");
}

Deno.test("Every setting but the secret has a default", () => {
  assert.deepEqual(parseConfig({ AUTH_SECRET, LOG_FORMAT: "json" }), {
    port: 8787,
    host: "0.0.0.0",
    kvPath: "data/kv.sqlite3",
    authSecret: AUTH_SECRET,
    rowsGraceMs: 900_000,
    nodeCacheBytes: 134_217_728,
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
    ROWS_GRACE_SECONDS: "60",
    NODE_CACHE_MIB: "64",
    TRUST_PROXY: "yes",
    LOG_FORMAT: "pretty",
    LOG_LEVEL: "debug",
  });
  assert.deepEqual(config, {
    port: 0,
    host: "::1",
    kvPath: ":memory:",
    authSecret: AUTH_SECRET,
    rowsGraceMs: 60_000,
    nodeCacheBytes: 67_108_864,
    trustProxy: true,
    logFormat: "pretty",
    logLevel: "debug",
  });
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
    "AUTH_SECRET",
    "LOG_FORMAT",
  ]);
});

Deno.test("A secret below 32 bytes is refused and not repeated", () => {
  const problem = problemsOf({ AUTH_SECRET: "only-thirty-one-bytes-long-here" });
  assert.equal(problem, "AUTH_SECRET must be a text of at least 32 bytes");
});

Deno.test("A secret is measured in bytes, not in characters", () => {
  assert.equal(parseConfig({ AUTH_SECRET: "ü".repeat(16) }).authSecret, "ü".repeat(16));
});

Deno.test("The settings are frozen", () => {
  assert.ok(Object.isFrozen(parseConfig({ AUTH_SECRET })));
});

Deno.test("The README lists every setting with its default", async () => {
  const readme = await Deno.readTextFile(new URL("../README.md", import.meta.url));
  for (const setting of Object.values(settings)) {
    const row = readme.split("\n").find((line) => line.startsWith(`| \`${setting.name}\` `));
    assert.ok(row !== undefined, `no row for ${setting.name}`);
    if (setting.default !== undefined) assert.ok(row.includes(`\`${setting.default}\``), row);
  }
});
