/** The real server on a free port, over a database of its own, and a client's ways to talk to it. */
import assert from "node:assert/strict";
import { signToken } from "../../auth/sign.ts";
import { type Config, parseConfig } from "../../config.ts";
import { openKv } from "../../kv/open.ts";
import { type Running, start } from "../../main.ts";
import { createGraphAnswerSchema } from "../../protocol/http.ts";
import type { GraphId } from "../../protocol/ids.ts";
import * as todays from "../../protocol/today/http.ts";
import type { OpenCarrier } from "../../sync/fanout.ts";
import { AUTH_SECRET } from "./secret.ts";
import { TestSocket } from "./socket.ts";

const HOUR_SECONDS = 60 * 60;

/** Whom a request speaks for when the test doesn't say. */
export const ALICE = "alice";

export interface ServerOptions {
  /** A file, to be opened again by a later server; by default a database in memory. */
  readonly kvPath?: string;
  /** A database that is open already, and stays open: several servers over one. */
  readonly kv?: Deno.Kv;
  /** How news reaches other servers; by default as the program does it. */
  readonly ways?: readonly OpenCarrier[];
  /** Settings beside these. */
  readonly variables?: Readonly<Record<string, string>>;
}

export interface RequestOptions {
  readonly method?: string;
  /** The user of the token; `null` sends none. */
  readonly as?: string | null;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it is. */
  readonly body?: BodyInit;
  readonly headers?: Readonly<Record<string, string>>;
}

/** `await using server = await startServer()`: stops the server and closes what it opened. */
export async function startServer(options: ServerOptions = {}): Promise<TestServer> {
  const config = parseConfig({
    AUTH_SECRET,
    HOST: "127.0.0.1",
    PORT: "0",
    KV_PATH: options.kvPath ?? ":memory:",
    ...options.variables,
  });
  const kv = options.kv ?? await openKv(config.kvPath);
  const running = await start(config, kv, options.ways);
  return new TestServer(running, kv, config, options.kv === undefined);
}

type Answer = Awaited<ReturnType<TestServer["call"]>>;

/**
 * Calls so many times at once, at some servers by turns.
 *
 * @param refused what all must be that are not accepted
 * @returns those that are accepted
 */
export async function acceptedAtOnce(
  servers: readonly TestServer[],
  count: number,
  call: (server: TestServer) => Promise<Answer>,
  refused: Answer,
): Promise<readonly Answer[]> {
  const calls = Array.from(
    { length: count / servers.length },
    () => servers.map((server) => call(server)),
  );
  const answers = await Promise.all(calls.flat());
  const accepted = answers.filter(({ status }) => status === 200);
  for (const answer of answers) if (answer.status !== 200) assert.deepEqual(answer, refused);
  return accepted;
}

export class TestServer implements AsyncDisposable {
  readonly #running: Running;
  readonly #ownsKv: boolean;
  #stopped = false;

  constructor(running: Running, readonly kv: Deno.Kv, readonly config: Config, ownsKv: boolean) {
    this.#running = running;
    this.#ownsKv = ownsKv;
  }

  /** `http://127.0.0.1:port`. */
  get url(): string {
    return this.#running.url;
  }

  /** A good token for this user, for an hour. Of `alice` it says that `alice@example.org` is hers. */
  token(sub: string = ALICE): Promise<string> {
    const claims = { email: `${sub}@example.org` };
    return signToken(AUTH_SECRET, sub, Date.now(), HOUR_SECONDS, claims);
  }

  /** A request as it goes over the wire; the body has to be read or cancelled by the caller. */
  async fetch(path: string, options: RequestOptions = {}): Promise<Response> {
    const { as = ALICE, json, body, headers } = options;
    const sent = json === undefined ? body : JSON.stringify(json);
    return await fetch(`${this.url}${path}`, {
      method: options.method ?? (sent === undefined ? "GET" : "POST"),
      headers: {
        ...as !== null && { authorization: `Bearer ${await this.token(as)}` },
        ...headers,
      },
      ...sent !== undefined && { body: sent },
    });
  }

  /** Status and JSON body. */
  async call(
    path: string,
    options: RequestOptions = {},
  ): Promise<{ status: number; body: unknown }> {
    const response = await this.fetch(path, options);
    return { status: response.status, body: await response.json() };
  }

  async createGraph(as: string = ALICE, name = "notes"): Promise<GraphId> {
    const { body } = await this.call("/graphs", { as, json: { graph_name: name } });
    return createGraphAnswerSchema.parse(body).graph_id;
  }

  /**
   * A socket of a graph; `as: null` sends no token.
   *
   * @throws {UpgradeRefused}
   */
  async connect(graph: string, as: string | null = ALICE): Promise<TestSocket> {
    const query = as === null ? "" : `?token=${await this.token(as)}`;
    return await TestSocket.open(`${this.url.replace("http", "ws")}/sync/${graph}${query}`);
  }

  /** The same for a client that reads messages in its own way; see TestSocket.openAs. */
  async connectAs<Message extends { readonly type: string }>(
    graph: string,
    parse: (text: string) => Message | undefined,
    as: string = ALICE,
  ): Promise<TestSocket<Message>> {
    const url = `${this.url.replace("http", "ws")}/sync/${graph}?token=${await this.token(as)}`;
    return await TestSocket.openAs(url, parse);
  }

  /** A graph that a client of today makes; ready, not encrypted. */
  async createTodaysGraph(as: string = ALICE): Promise<GraphId> {
    const name = `notes ${crypto.randomUUID()}`;
    const json = { "graph-name": name, "schema-version": "65", "graph-e2ee?": false };
    const { body } = await this.call("/graphs", { as, json });
    return todays.createGraphAnswerSchema.parse(body)["graph-id"];
  }

  /** What the program does on SIGTERM. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    await this.#running.stop();
    if (this.#ownsKv) this.kv.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}
