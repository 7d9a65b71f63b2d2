import assert from "node:assert/strict";
import { type Address, listen, ListenError, listenError } from "../listen.ts";
import { within } from "./support/deadline.ts";
import { Served } from "./support/served.ts";

function problemOf(address: Address): string {
  try {
    void listen(address, () => new Response()).shutdown();
  } catch (error) {
    assert.ok(error instanceof ListenError);
    return error.message;
  }
  throw new Error(`Something listens at ${address.host}`);
}

Deno.test("A port that is taken is said with what to change", () => {
  using taken = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const { port } = taken.addr;
  const wanted = `HOST is 127.0.0.1 and PORT is ${port}, but another program listens there: ` +
    "end it, or set PORT to another number (";
  assert.equal(problemOf({ host: "127.0.0.1", port }).slice(0, wanted.length), wanted);
});

Deno.test("A host that is not this machine, that nobody knows or that is none is said", () => {
  for (const host of ["192.0.2.1", "nobody.invalid", "a:b:c"]) {
    const problem = problemOf({ host, port: 0 });
    assert.ok(problem.startsWith(`HOST is ${host} and PORT is 0, but that can't be`), problem);
    assert.match(problem, /: set HOST to an address of this machine, or to 0\.0\.0\.0 for all \(/);
  }
});

Deno.test("A port that this user may not take is said", () => {
  // As Deno 2.9 throws it to a user who isn't root.
  const denied = new Deno.errors.PermissionDenied("Permission denied (os error 13)");
  assert.equal(
    listenError({ host: "0.0.0.0", port: 80 }, denied).message,
    "HOST is 0.0.0.0 and PORT is 80, but this user may not listen there: " +
      "set PORT to a number above 1023 (Permission denied (os error 13))",
  );
});

Deno.test("A body that is still coming in as the server leaves is read to its end", async () => {
  const came = Promise.withResolvers<void>();
  const server = listen({ host: "127.0.0.1", port: 0 }, async (request) => {
    came.resolve();
    return new Response(`${(await request.text()).length} bytes`);
  });
  assert.ok("port" in server.addr);
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: server.addr.port });
  const send = async (text: string): Promise<void> => {
    await new Blob([text]).stream().pipeTo(connection.writable, { preventClose: true });
  };
  await send("POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 20\r\n\r\n0123456789");
  await came.promise;
  const left = server.shutdown();
  await new Promise((resolve) => setTimeout(resolve, 100));
  await send("0123456789");
  const answer = await within(new Response(connection.readable).text(), "the answer");
  assert.match(answer, /^HTTP\/1\.1 200 OK/);
  assert.ok(answer.endsWith("20 bytes"));
  await left;
});

Deno.test("A body that the server's leaving cuts off is 503, though its route takes it for its client's fault", async () => {
  const came = Promise.withResolvers<void>();
  const server = listen({ host: "127.0.0.1", port: 0 }, async (request) => {
    came.resolve();
    const text = await request.text().catch(() => undefined);
    return Response.json(text ?? { error: "invalid body" }, {
      status: text === undefined ? 400 : 200,
    });
  });
  assert.ok("port" in server.addr);
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: server.addr.port });
  const head = "POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 20\r\n\r\n0123456789";
  await new Blob([head]).stream().pipeTo(connection.writable, { preventClose: true });
  await came.promise;
  const left = server.shutdown();
  const bytes = new Uint8Array(1024);
  const count = await within(connection.read(bytes), "the answer");
  const answer = new TextDecoder().decode(bytes.subarray(0, count ?? 0));
  assert.match(answer, /^HTTP\/1\.1 503 /);
  assert.ok(answer.endsWith('{"error":"not ready"}'), answer);
  connection.close();
  await left;
});

Deno.test({
  name: "A server that had too many connections listens again at its port once some have ended",
  ignore: !await hasPrlimit(),
  fn: async () => {
    await using served = await Served.start({ KV_PATH: ":memory:" });
    const { program, url } = served;
    // Deno (2.9) has panicked where its main thread asked for the first time, with too many files open,
    // how large its stack is: what a server does at first is done before.
    await served.call(`/sync/${await served.createGraph()}/pull?since=0`);
    assert.deepEqual(await within(health(url), "it to answer"), { ok: true });
    const files = [...Deno.readDirSync(`/proc/${program.pid}/fd`)].length + 20;
    const limited = await new Deno.Command("prlimit", {
      args: [`--pid=${program.pid}`, `--nofile=${files}`],
    }).output();
    assert.ok(limited.success);

    const connections: Deno.Conn[] = [];
    const port = Number(new URL(url).port);
    // Refused, or reset as it was not accepted yet, before it is known to be open or after.
    await assert.rejects(async () => {
      for (;;) connections.push(await Deno.connect({ hostname: "127.0.0.1", port }));
    }, /^(ConnectionRefused|ConnectionReset|NotConnected): /);
    for (const connection of connections) connection.close();

    const answer = await Promise.race([
      within(health(url), "it to listen again"),
      program.ended.then(({ stderr }) => Promise.reject(new Error(stderr))),
    ]);
    assert.deepEqual(answer, { ok: true });
    assert.equal((await program.end("SIGTERM")).code, 0);
  },
});

/** By which the open files of another process are limited: Linux has it. */
async function hasPrlimit(): Promise<boolean> {
  try {
    return (await new Deno.Command("prlimit", { args: ["--version"] }).output()).success;
  } catch (cause) {
    assert.ok(cause instanceof Deno.errors.NotFound);
    return false;
  }
}

/** What `/health` answers to a new connection, once somebody does. */
async function health(url: string): Promise<unknown> {
  using client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
  for (;;) {
    try {
      return await (await fetch(`${url}/health`, { client })).json();
    } catch (cause) {
      // TypeError: nobody listens there yet.
      assert.ok(cause instanceof TypeError);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
