import assert from "node:assert/strict";
import { createGraphAnswerSchema } from "../../protocol/http.ts";
import { runProgram } from "../support/program.ts";
import { TestSocket } from "../support/socket.ts";
import { Folder } from "../support/folder.ts";

Deno.test("deno task dev prints an address, a token and a curl line that work, and leaves on SIGTERM", async () => {
  await using own = await Folder.make();
  const folder = own.path;
  const variables = { KV_PATH: `${folder}/kv.sqlite3`, PORT: "0" };
  await using program = runProgram("tasks/dev.ts", [], variables);
  const [, url, token, json, target] = await program.printed(
    /at (http:\S+),[^]*\n(\S+\.\S+\.\S+)\n[^]*\ncurl -X POST -H 'Authorization: Bearer \2' -d '(.*)' (\S+)\n/,
  );
  assert.ok(url && token && json && target);
  assert.equal(target, `${url}/graphs`);
  const authorization = `Bearer ${token}`;
  // As curl sends it: with no JSON content type.
  const headers = { authorization, "content-type": "application/x-www-form-urlencoded" };
  const response = await fetch(target, { method: "POST", headers, body: json });
  const { graph_id } = createGraphAnswerSchema.parse(await response.json());

  await using socket = await TestSocket.open(
    `${url.replace("http", "ws")}/sync/${graph_id}?token=${token}`,
  );
  assert.deepEqual(await socket.ask({ type: "hello", client: "c" }), { type: "hello", t: 0 });
  const { code, stdout, stderr } = await program.end("SIGTERM");
  assert.equal(code, 0);
  assert.equal(stderr, "");
  assert.deepEqual(await socket.closed, { code: 1001, reason: "server shutting down" });
  const logged = stdout.split("\n").filter((line) => line.startsWith("{"));
  assert.ok(logged.some((line) => line.includes(graph_id)));
  assert.ok(logged.every((line) => !line.includes(token) && JSON.parse(line)["@timestamp"]));
});

Deno.test("deno task dev works with a database in memory", async () => {
  await using program = runProgram("tasks/dev.ts", [], { KV_PATH: ":memory:", PORT: "0" });
  const [, url, token] = await program.printed(/at (http:\S+),[^]*\n(\S+\.\S+\.\S+)\n/);
  const response = await fetch(`${url}/graphs`, { headers: { authorization: `Bearer ${token}` } });
  assert.deepEqual(await response.json(), { "graphs": [], "user-rsa-keys-exists?": false });
  assert.equal((await program.end("SIGINT")).code, 0);
});

Deno.test("deno task dev says so in a line where it can't keep a secret", async () => {
  const file = await Deno.makeTempFile();
  try {
    await using program = runProgram("tasks/dev.ts", [], { KV_PATH: `${file}/kv.sqlite3` });
    const { code, stderr } = await program.ended;
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^Cannot start:\nCannot keep a secret in \S+dev-secret: set KV_PATH .*\n$/,
    );
  } finally {
    await Deno.remove(file);
  }
});
