import assert from "node:assert/strict";
import { Folder } from "../support/folder.ts";
import { runProgram } from "../support/program.ts";
import { AUTH_SECRET } from "../support/secret.ts";
import { Served } from "../support/served.ts";

Deno.test("deno task start without AUTH_SECRET ends at once, and says what to set", async () => {
  await using program = runProgram("main.ts");
  const { code, stdout, stderr } = await program.ended;
  assert.equal(code, 1);
  assert.equal(stdout, "");
  assert.match(stderr, /^Cannot start:\nAUTH_SECRET must be set to a text of at least 32 bytes/);
  assert.ok(!stderr.includes("    at "), stderr);
});

Deno.test("A port that is taken, and a foreign host, end the program with a line that names them", async () => {
  using taken = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const { port } = taken.addr;
  const places = [["127.0.0.1", port, "another program"], ["192.0.2.1", 0, "set HOST"]] as const;
  for (const [HOST, port, problem] of places) {
    await using program = runProgram("main.ts", [], {
      AUTH_SECRET,
      HOST,
      PORT: String(port),
      KV_PATH: ":memory:",
    });
    const { code, stderr } = await program.ended;
    assert.equal(code, 1);
    assert.match(stderr, /^Cannot start:\n.*\n$/);
    assert.ok(stderr.includes(`\nHOST is ${HOST} and PORT is ${port}, but `), stderr);
    assert.ok(stderr.includes(problem), stderr);
  }
});

Deno.test("deno task start serves with the settings of its variables", async () => {
  await using program = runProgram("main.ts", [], {
    AUTH_SECRET,
    HOST: "127.0.0.1",
    PORT: "0",
    KV_PATH: ":memory:",
    LOG_FORMAT: "json",
  });
  const [, url] = await program.printed(/"url":"(http:[^"]+)"/);
  const response = await fetch(`${url}/health`);
  assert.deepEqual(await response.json(), { ok: true });
  assert.equal((await program.end("SIGTERM")).code, 0);
});

Deno.test("The program leaves on a signal that comes as soon as it says that it serves", async () => {
  await using folder = await Folder.make();
  // One that came before anybody listened for it was mostly, but not always, the end.
  for (let i = 0; i < 3; i++) {
    await using served = await Served.start({ KV_PATH: `${folder.path}/kv.sqlite3` });
    assert.equal((await served.program.end("SIGTERM")).code, 0);
  }
});

Deno.test("An error of our own after the program serves ends it with its stack, not half of it", async () => {
  await using program = runProgram("tests/support/broken_program.ts", [], {
    AUTH_SECRET,
    PORT: "0",
    KV_PATH: ":memory:",
  });
  const { code, stderr } = await program.ended;
  assert.equal(code, 1);
  assert.match(stderr, /Cannot go on:\nError: a defect\n {4}at /);
});
