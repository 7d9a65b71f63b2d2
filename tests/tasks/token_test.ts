import assert from "node:assert/strict";
import { readDevConfig } from "../../tasks/dev_config.ts";
import { makeToken } from "../../tasks/token.ts";
import { verifierOf } from "../support/verifier.ts";
import { runProgram } from "../support/program.ts";
import { AUTH_SECRET } from "../support/secret.ts";
import { Folder } from "../support/folder.ts";

Deno.test("deno task token prints a token alone on stdout, signed with AUTH_SECRET", async () => {
  await using program = runProgram("tasks/token.ts", ["--sub", "alice"], { AUTH_SECRET });
  const { code, stdout, stderr } = await program.ended;
  assert.equal(stderr, "");
  assert.equal(code, 0);
  assert.match(stdout, /^[\w-]+\.[\w-]+\.[\w-]+\n$/);
  assert.equal(await (await verifierOf(AUTH_SECRET))(stdout.trim()), "alice");
});

Deno.test("Without AUTH_SECRET the secret kept beside the data signs, the same one each time", async () => {
  await using own = await Folder.make();
  const folder = own.path;
  const KV_PATH = `${folder}/data/kv.sqlite3`;
  const tokens = await Promise.all(
    Array.from({ length: 4 }, () => makeToken(["--sub", "alice"], { KV_PATH }, Date.now())),
  );
  const files = (await Array.fromAsync(Deno.readDir(`${folder}/data`))).map((file) => file.name);
  assert.deepEqual(files, ["dev-secret"]);
  const { mode } = await Deno.stat(`${folder}/data/dev-secret`);
  assert.equal((mode ?? 0) & 0o777, 0o600);
  const secret = (await Deno.readTextFile(`${folder}/data/dev-secret`)).trim();
  const verify = await verifierOf(secret);
  assert.deepEqual(await Promise.all(tokens.map(verify)), ["alice", "alice", "alice", "alice"]);
});

Deno.test("Where a provider alone signs people in, no token is made, and no secret", async () => {
  await using own = await Folder.make();
  const folder = own.path;
  const KV_PATH = `${folder}/kv.sqlite3`;
  const oidc = { OIDC_ISSUER: "https://issuer.example/pool", OIDC_AUDIENCE: "a" };
  const cognito = { COGNITO_ISSUER: oidc.OIDC_ISSUER, COGNITO_CLIENT_ID: "a" };
  for (const provider of [oidc, { ...cognito, AUTH_SECRET: "" }]) {
    await using program = runProgram("tasks/token.ts", ["--sub", "alice"], {
      KV_PATH,
      ...provider,
    });
    const { code, stdout, stderr } = await program.ended;
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(
      stderr,
      /^AUTH_SECRET is not set, so this server takes only its provider's tokens/,
    );
    assert.deepEqual(await Array.fromAsync(Deno.readDir(folder)), []);
  }
  const token = await makeToken(["--sub", "alice"], { AUTH_SECRET, ...oidc }, Date.now());
  assert.equal(await (await verifierOf(AUTH_SECRET))(token), "alice");
  // The server of `task dev` has a secret beside a provider, too.
  const { authSecret } = await readDevConfig({ KV_PATH, ...oidc });
  const another = await makeToken(["--sub", "alice"], { KV_PATH, ...oidc }, Date.now());
  assert.equal(await (await verifierOf(authSecret))(another), "alice");
});

Deno.test("--days says how long a token is good", async () => {
  const verify = await verifierOf(AUTH_SECRET);
  const twoDaysAgo = Date.now() - 2 * 24 * 60 * 60 * 1000;
  const token = (days: string): Promise<string> =>
    makeToken(["--sub", "alice", "--days", days], { AUTH_SECRET }, twoDaysAgo);
  assert.equal(await verify(await token("1")), undefined);
  assert.equal(await verify(await token("3")), "alice");
});

Deno.test("Arguments that make no token end with a line that says so, and nothing on stdout", async () => {
  for (const args of [[], ["--sub", ""], ["--sub", "a", "--days", "x"], ["--user", "a"], ["a"]]) {
    await using program = runProgram("tasks/token.ts", args, { AUTH_SECRET });
    const { code, stdout, stderr } = await program.ended;
    assert.equal(code, 2, args.join(" "));
    assert.equal(stdout, "");
    assert.match(stderr, /Usage: deno task token --sub alice/);
    assert.ok(!stderr.includes("at "), stderr);
  }
});
