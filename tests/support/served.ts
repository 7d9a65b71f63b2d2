/** The program that serves, as a process of its own on a free port, and what its clients need. */
import { signToken } from "../../auth/sign.ts";
import { createGraphAnswerSchema } from "../../protocol/http.ts";
import type { GraphId } from "../../protocol/ids.ts";
import { type Program, runProgram } from "./program.ts";
import { AUTH_SECRET } from "./secret.ts";
import { TestSocket } from "./socket.ts";

const HOUR_SECONDS = 60 * 60;

/** With which such a server runs. */
export const VARIABLES = {
  AUTH_SECRET,
  HOST: "127.0.0.1",
  PORT: "0",
  LOG_FORMAT: "json",
} as const;

/** Who has a token for a server that runs with VARIABLES, wherever. */
export class Caller {
  protected constructor(
    /** `http://127.0.0.1:port`. */
    readonly url: string,
    /** A good one, for an hour. */
    readonly token: string,
  ) {}

  static async of(url: string): Promise<Caller> {
    return new Caller(url, await signed());
  }

  get authorization(): string {
    return `Bearer ${this.token}`;
  }

  /** A request with the token; the body has to be read or cancelled by the caller. */
  fetch(path: string, init: Omit<RequestInit, "headers"> = {}): Promise<Response> {
    return fetch(`${this.url}${path}`, {
      ...init,
      headers: { authorization: this.authorization },
    });
  }

  /**
   * The text of an answer that must be a good one: GET, or POST if there is a body.
   *
   * @throws {Error} it is another
   */
  async text(path: string, body?: string): Promise<string> {
    const response = await this.fetch(
      path,
      body === undefined ? {} : { method: "POST", body },
    );
    const text = await response.text();
    if (response.status === 200) return text;
    throw new Error(`Cannot go on as ${path} answered ${response.status}: ${text}`);
  }

  /** The same as bytes. */
  async bytes(path: string, body?: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
    const response = await this.fetch(path, body === undefined ? {} : { method: "POST", body });
    const bytes = await response.bytes();
    if (response.status === 200) return bytes;
    throw new Error(`Cannot go on as ${path} answered ${response.status}`);
  }

  /** The same, of JSON. */
  async call(path: string, json?: unknown): Promise<unknown> {
    return JSON.parse(await this.text(path, json === undefined ? json : JSON.stringify(json)));
  }

  async createGraph(): Promise<GraphId> {
    const body = await this.call("/graphs", { graph_name: "notes" });
    return createGraphAnswerSchema.parse(body).graph_id;
  }

  /** `ws://…`, with the token. */
  socketUrl(graph: string): string {
    return `${this.url.replace("http", "ws")}/sync/${graph}?token=${this.token}`;
  }

  connect(graph: string): Promise<TestSocket> {
    return TestSocket.open(this.socketUrl(graph));
  }
}

export class Served extends Caller implements AsyncDisposable {
  private constructor(readonly program: Program, url: string, token: string) {
    super(url, token);
  }

  /**
   * @param variables beside VARIABLES, such as KV_PATH
   * @param flags for Deno
   */
  static async start(
    variables: Readonly<Record<string, string>>,
    flags?: readonly string[],
  ): Promise<Served> {
    const program = runProgram("main.ts", [], { ...VARIABLES, ...variables }, flags);
    const [, url = ""] = await program.printed(/"url":"(http:[^"]+)"/);
    return new Served(program, url, await signed());
  }

  async kill(): Promise<void> {
    await this.program.end("SIGKILL");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program[Symbol.asyncDispose]();
  }
}

function signed(): Promise<string> {
  return signToken(AUTH_SECRET, "alice", Date.now(), HOUR_SECONDS);
}
