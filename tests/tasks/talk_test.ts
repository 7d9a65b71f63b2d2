import assert from "node:assert/strict";
import { talk } from "../../tasks/talk.ts";
import { TaskError } from "../../tasks/store.ts";
import { within } from "../support/deadline.ts";
import { runProgram } from "../support/program.ts";
import { startServer } from "../support/server.ts";

/** Lines that are typed when the test says so. */
class Keyboard {
  readonly #stream = new TransformStream<string, string>();
  readonly #writer = this.#stream.writable.getWriter();
  readonly lines = this.#stream.readable;
  readonly type = (line: string): Promise<void> => this.#writer.write(line);
  readonly end = (): Promise<void> => this.#writer.close();
}

Deno.test("deno task talk sends each line, prints each message, and leaves when all is answered", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  await using other = await server.connect(graph);
  const printed: string[] = [];
  const greeted = Promise.withResolvers<void>();
  const told = Promise.withResolvers<void>();
  const keyboard = new Keyboard();
  const whom = { server: server.url, token: await server.token(), graph };
  const talked = talk(whom, keyboard.lines, (message) => {
    printed.push(message);
    if (message.includes("invalid")) greeted.resolve();
    if (message.includes("changed")) told.resolve();
  });
  await keyboard.type('{"type":"hello","client":"c"}');
  await keyboard.type("");
  await keyboard.type('{"type":"ping"}');
  await keyboard.type("no JSON");
  await within(greeted.promise, "the answers");
  const tx = '["~#list",[["~:db/add",-1,"~:block/title","a"]]]';
  const batch = { type: "tx/batch", t_before: 0, txs: [tx] };
  assert.deepEqual(await other.ask(batch), { type: "tx/batch/ok", t: 1 });
  await within(told.promise, "news at the terminal");
  await keyboard.type('{"type":"pull","since":1}');
  await keyboard.end();
  assert.deepEqual(await within(talked, "the end"), { asked: true, code: 1000, reason: "" });
  assert.deepEqual(printed, [
    '{"type":"hello","t":0}',
    '{"type":"pong"}',
    '{"type":"error","message":"invalid request"}',
    '{"type":"changed","t":1}',
    '{"type":"pull/ok","t":1,"txs":[]}',
  ]);
});

Deno.test("deno task talk tells how the server closed the socket", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  const greeted = Promise.withResolvers<void>();
  const keyboard = new Keyboard();
  const whom = { server: server.url, token: await server.token(), graph };
  const talked = talk(whom, keyboard.lines, () => greeted.resolve());
  await keyboard.type('{"type":"hello","client":"c"}');
  await within(greeted.promise, "a hello");
  await server.call(`/graphs/${graph}`, { method: "DELETE" });
  const ended = await within(talked, "the end");
  assert.deepEqual(ended, { asked: false, code: 4404, reason: "graph deleted" });
});

Deno.test("Whom the server doesn't let in is told so", async () => {
  await using server = await startServer();
  const whom = { server: server.url, token: await server.token("bob") };
  const graph = await server.createGraph("alice");
  await assert.rejects(talk({ ...whom, graph }, new Keyboard().lines, () => {}), (cause) => {
    assert.ok(cause instanceof TaskError);
    assert.match(cause.message, /^Cannot talk to http:\S+ about [0-9a-f-]{36}: .*403/);
    return true;
  });
});

Deno.test("A wrong --server is said in a line", async () => {
  await using site = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    ({ url }) => new Response(url.includes("/json/") ? "[]" : "<html>"),
  );
  const url = `http://127.0.0.1:${site.addr.port}`;
  const graph = crypto.randomUUID();
  const wrong = [
    [["--server", url], `${url} answers 200 <html>\n`],
    [["--server", `${url}/json/`], `${url}/json answers 200 []\n`],
    [["--server", "here", graph], "--server must be an http(s) address: got here\n"],
    [["--server", "ftp://here", graph], "--server must be an http(s) address: got ftp://here\n"],
  ] as const;
  for (const [args, line] of wrong) {
    await using program = runProgram("tasks/talk.ts", ["--token", "x", ...args]);
    const { code, stderr } = await program.ended;
    assert.deepEqual([code, stderr], [2, line]);
  }
});
