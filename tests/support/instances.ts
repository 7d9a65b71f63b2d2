/** Several processes of the real program, and what their clients need to come in at any of them. */
import assert from "node:assert/strict";
import { type PullOk, pullOkSchema } from "../../protocol/server_message.ts";
import { Served } from "./served.ts";
import type { TestSocket } from "./socket.ts";

export class Instances implements AsyncDisposable {
  readonly #variables: Readonly<Record<string, string>>;
  readonly #instances: Served[];

  private constructor(variables: Readonly<Record<string, string>>, instances: Served[]) {
    this.#variables = variables;
    this.#instances = instances;
  }

  /** @param variables what they have in common beside the secret, such as KV_PATH */
  static async start(
    count: number,
    variables: Readonly<Record<string, string>>,
  ): Promise<Instances> {
    const starting = Array.from({ length: count }, () => Served.start(variables));
    return new Instances(variables, await Promise.all(starting));
  }

  get count(): number {
    return this.#instances.length;
  }

  /** Ends one with SIGKILL, and starts another in its place, on another port. */
  async replace(index: number): Promise<void> {
    await this.#at(index).kill();
    this.#instances[index] = await Served.start(this.#variables);
  }

  /** @throws {Error} the process is gone, or refuses */
  async connect(index: number, graph: string): Promise<TestSocket> {
    return await this.#at(index).connect(graph);
  }

  async createGraph(): Promise<string> {
    return await this.#at(0).createGraph();
  }

  /** The log as this process gives it. */
  async pull(index: number, graph: string): Promise<PullOk> {
    return pullOkSchema.parse(await this.#at(index).call(`/sync/${graph}/pull`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#instances.map((served) => served[Symbol.asyncDispose]()));
  }

  #at(index: number): Served {
    const served = this.#instances[index % this.#instances.length];
    assert.ok(served !== undefined);
    return served;
  }
}
