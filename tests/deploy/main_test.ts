/** The program as Deno Deploy runs it, with the platform's end of its sockets in the test's hand. */
import assert from "node:assert/strict";
import { request } from "node:http";
import { z } from "zod";
import { commitOrThrow } from "../../kv/commit.ts";
import { listGarbage, markGarbage } from "../../kv/garbage.ts";
import { newGeneration, newGraphId } from "../../protocol/ids.ts";
import { PROGRAM_DEADLINE_MS, within } from "../support/deadline.ts";
import { type Program, runProgram } from "../support/program.ts";
import { AUTH_SECRET } from "../support/secret.ts";

/** What Deno tells the platform at DENO_UNSTABLE_CRON_SOCK, a line each (ext/cron/socket.rs, 2.9). */
const cronMessageSchema = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("register"),
    crons: z.array(z.object({ name: z.string(), schedule: z.string() })),
  }),
  z.object({ kind: z.literal("result"), name: z.string(), success: z.boolean() }),
]);

/** Deploy's part: a database that is assigned, a socket to be served on, one for the crons. */
class Platform implements AsyncDisposable {
  readonly #crons: Deno.Listener<Deno.Conn>;
  #lines: AsyncIterator<string> | undefined;
  #conn: Deno.Conn | undefined;

  private constructor(readonly folder: string) {
    this.#crons = Deno.listen({ transport: "unix", path: `${folder}/crons` });
  }

  static async start(): Promise<Platform> {
    return new Platform(await Deno.makeTempDir());
  }

  get database(): string {
    return `${this.folder}/kv.sqlite3`;
  }

  run(variables: Readonly<Record<string, string>>): Program {
    return runProgram("deploy/main.ts", [], {
      DENO_DEPLOYMENT_ID: "abc",
      DENO_KV_DEFAULT_PATH: this.database,
      DENO_SERVE_ADDRESS: `unix:${this.folder}/http`,
      DENO_UNSTABLE_CRON_SOCK: `unix:${this.folder}/crons`,
      LOG_FORMAT: "json",
      ...variables,
    });
  }

  /** The next thing that the program says of its crons. */
  async heard(): Promise<z.output<typeof cronMessageSchema>> {
    this.#conn ??= await within(this.#crons.accept(), "a call", PROGRAM_DEADLINE_MS);
    this.#lines ??= linesOf(this.#conn);
    const { value } = await within(this.#lines.next(), "a word of crons");
    return cronMessageSchema.parse(JSON.parse(value));
  }

  async invoke(name: string): Promise<void> {
    const line = `${JSON.stringify({ kind: "invoke", name })}\n`;
    await this.#conn?.write(new TextEncoder().encode(line));
  }

  /** The body of an answer. */
  async get(path: string): Promise<string> {
    const answer = new Promise<string>((resolve, fail) => {
      const sent = request({ socketPath: `${this.folder}/http`, path }, (response) => {
        let text = "";
        response.on("data", (chunk) => text += String(chunk));
        response.on("end", () => resolve(text));
      });
      sent.on("error", fail);
      sent.end();
    });
    return await within(answer, path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#conn?.close();
    } catch {
      // BadResource: the program has ended, and the connection with it.
    }
    this.#crons.close();
    await Deno.remove(this.folder, { recursive: true });
  }
}

async function* linesOf(conn: Deno.Conn): AsyncGenerator<string> {
  let text = "";
  for await (const chunk of conn.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (text + chunk).split("\n");
    text = lines.pop() ?? "";
    yield* lines;
  }
}

Deno.test("On Deploy the program registers its sweep as a cron, serves on the socket that it is given, sweeps when told and not before, and leaves on SIGINT", async () => {
  await using platform = await Platform.start();
  using kv = await Deno.openKv(platform.database);
  const graph = newGraphId();
  await commitOrThrow(kv, { sets: markGarbage(graph, [newGeneration()], 0), deletes: [] });

  await using program = platform.run({ AUTH_SECRET });
  assert.deepEqual(await platform.heard(), {
    kind: "register",
    crons: [{ name: "sweep", schedule: "*/5 * * * *" }],
  });
  await program.printed(/"kvPath":":assigned:"/);
  assert.equal(await platform.get("/health"), '{"ok":true}');
  assert.equal(await platform.get("/ready"), '{"ok":true}');
  assert.equal((await Array.fromAsync(listGarbage(kv))).length, 1);

  await platform.invoke("sweep");
  assert.deepEqual(await platform.heard(), { kind: "result", name: "sweep", success: true });
  assert.deepEqual(await Array.fromAsync(listGarbage(kv)), []);
  assert.equal((await program.end("SIGINT")).code, 0);
});
