import assert from "node:assert/strict";
import { settings } from "../../config.ts";
import { runProgram } from "../support/program.ts";
import { AUTH_SECRET } from "../support/secret.ts";

Deno.test("deno task config prints every setting with its value, default and origin, but no secret", async () => {
  await using program = runProgram("tasks/config.ts", [], {
    AUTH_SECRET,
    PORT: "9000",
    COGNITO_ISSUER: "https://issuer.example/pool",
    COGNITO_CLIENT_ID: "a,b",
  });
  const { code, stdout, stderr } = await program.ended;
  assert.equal(stderr, "");
  assert.equal(code, 0);
  const entries = stdout.split(/\n(?=[A-Z])/);
  assert.deepEqual(
    entries.map((entry) => entry.split("=")[0]),
    Object.values(settings).map(({ name }) => name),
  );
  const entryOf = (name: string): string =>
    entries.find((entry) => entry.startsWith(`${name}=`)) ?? "";
  assert.match(entryOf("PORT"), /^PORT=9000\n.*\n.*default: 8787; from: PORT/);
  assert.match(entryOf("HOST"), /^HOST=0\.0\.0\.0\n.*\n.*from: default/);
  assert.match(entryOf("AUTH_SECRET"), /^AUTH_SECRET=\(secret\)\n.*\n.*from: AUTH_SECRET/);
  assert.match(entryOf("OIDC_ISSUER"), /^OIDC_ISSUER=https:.*\n.*\n.*from: COGNITO_ISSUER/);
  assert.match(entryOf("OIDC_JWKS_URL"), /^OIDC_JWKS_URL=\n.*\n.*from: not set/);
  assert.ok(!stdout.includes(AUTH_SECRET));
});

Deno.test("deno task config says what is wrong, as the start would, and ends with 1", async () => {
  await using program = runProgram("tasks/config.ts", [], { PORT: "x" });
  const { code, stdout, stderr } = await program.ended;
  assert.equal(code, 1);
  assert.match(stdout, /^PORT=x\n/);
  assert.match(stderr, /would not start:\nPORT must be an integer .*\nAUTH_SECRET must be set/);
});
