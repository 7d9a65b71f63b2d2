/** Several processes of the real program, and what their clients need to come in at any of them. */
import assert from "node:assert/strict";
import { signToken } from "../../auth/sign.ts";
import { createGraphAnswerSchema } from "../../protocol/http.ts";
import { type PullOk, pullOkSchema } from "../../protocol/server_message.ts";
import { type Program, runProgram } from "./program.ts";
import { TestSocket } from "./socket.ts";

const AUTH_SECRET = "0123456789abcdef0123456789abcdef";

interface Instance {
  readonly program: Program;
  readonly url: string;
}

export class Instances implements AsyncDisposable {
  readonly #variables: Readonly<Record<string, string>>;
  readonly #instances: Instance[];
  readonly #token: string;

  private constructor(
    variables: Readonly<Record<string, string>>,
    instances: Instance[],
    token: string,
  ) {
    this.#variables = variables;
    this.#instances = instances;
    this.#token = token;
  }

  /** @param variables what they have in common beside the secret, such as KV_PATH */
  static async start(
    count: number,
    variables: Readonly<Record<string, string>>,
  ): Promise<Instances> {
    const instances = await Promise.all(Array.from({ length: count }, () => startOne(variables)));
    const token = await signToken(AUTH_SECRET, "alice", Date.now(), 3600);
    return new Instances(variables, instances, token);
  }

  get count(): number {
    return this.#instances.length;
  }

  /** Ends one with SIGKILL, and starts another in its place, on another port. */
  async replace(index: number): Promise<void> {
    await this.#at(index).program.end("SIGKILL");
    this.#instances[index] = await startOne(this.#variables);
  }

  /** @throws {Error} the process is gone, or refuses */
  async connect(index: number, graph: string): Promise<TestSocket> {
    const { url } = this.#at(index);
    return await TestSocket.open(
      `${url.replace("http", "ws")}/sync/${graph}?token=${this.#token}`,
    );
  }

  async createGraph(): Promise<string> {
    const body = await this.#call(0, "/graphs", JSON.stringify({ graph_name: "notes" }));
    return createGraphAnswerSchema.parse(body).graph_id;
  }

  /** The log as this process gives it. */
  async pull(index: number, graph: string): Promise<PullOk> {
    return pullOkSchema.parse(await this.#call(index, `/sync/${graph}/pull`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#instances.map(({ program }) => program[Symbol.asyncDispose]()));
  }

  async #call(index: number, path: string, body?: string): Promise<unknown> {
    const response = await fetch(`${this.#at(index).url}${path}`, {
      method: body === undefined ? "GET" : "POST",
      headers: { authorization: `Bearer ${this.#token}` },
      ...body !== undefined && { body },
    });
    const answer: unknown = await response.json();
    assert.equal(response.status, 200, JSON.stringify(answer));
    return answer;
  }

  #at(index: number): Instance {
    const instance = this.#instances[index % this.#instances.length];
    assert.ok(instance !== undefined);
    return instance;
  }
}

async function startOne(variables: Readonly<Record<string, string>>): Promise<Instance> {
  const program = runProgram("main.ts", [], {
    AUTH_SECRET,
    HOST: "127.0.0.1",
    PORT: "0",
    LOG_FORMAT: "json",
    ...variables,
  });
  const [, url] = await program.printed(/"url":"(http:[^"]+)"/);
  assert.ok(url !== undefined);
  return { program, url };
}
