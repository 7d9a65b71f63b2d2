/**
 * `deno task talk [GRAPH] --sub alice`: a device by hand. Each line of stdin goes to the graph's
 * socket, each message from there is a line of stdout. At the end of stdin it waits for its answers.
 */
// deno-lint-ignore-file no-console
import process from "node:process";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { ConfigError, environment, settings, valueOf } from "../config.ts";
import { graphsAnswerSchema } from "../protocol/http.ts";
import { parseJson } from "../protocol/json.ts";
import { graphOf, plain, TaskError } from "./store.ts";
import { makeToken } from "./token.ts";

const USAGE =
  "Usage: deno task talk [GRAPH] --sub alice, or --token TOKEN [--server http://127.0.0.1:8787]";

/** How a socket ended; `asked`: because there were no more lines. */
export interface Ended {
  readonly asked: boolean;
  readonly code: number;
  readonly reason: string;
}

/** Whom to talk to, and as whom. */
export interface Called {
  /** `http://…`, without a path. */
  readonly server: string;
  readonly token: string;
  readonly graph: string;
}

/**
 * Sends the lines as they come, and prints what comes, until the lines have ended and are answered,
 * or the socket has closed.
 *
 * @throws {TaskError} the server doesn't let the token in, or isn't there
 */
export async function talk(
  { server, token, graph }: Called,
  lines: AsyncIterable<string>,
  print: (message: string) => void,
): Promise<Ended> {
  const socket = new WebSocket(
    `${server.replace(/^http/, "ws")}/sync/${graph}?token=${encodeURIComponent(token)}`,
  );
  /** Pongs to come that the lines asked for; the one after them is ours. */
  let pongs = 0;
  let ended = false;
  const closed = new Promise<Ended>((resolve) => {
    socket.onclose = ({ code, reason }): void => resolve({ asked: ended, code, reason });
  });
  await new Promise<void>((opened, fail) => {
    socket.onopen = (): void => opened();
    socket.onerror = (event): void => {
      const why = event instanceof ErrorEvent ? event.message : "no answer";
      fail(new TaskError(`Cannot talk to ${server} about ${graph}: ${why}`));
    };
  });
  socket.onmessage = ({ data }): void => {
    const message = String(data);
    if (typeOf(message) === "pong" && pongs-- === 0) return socket.close(1000);
    print(message);
  };
  const send = async (): Promise<void> => {
    for await (const line of lines) {
      if (line.trim() === "") continue;
      if (typeOf(line) === "ping") pongs++;
      socket.send(line);
    }
    ended = true;
    socket.send('{"type":"ping"}');
  };
  await Promise.race([send(), closed]);
  return await closed;
}

/** The `type` of a message, if it is one. */
function typeOf(text: string): unknown {
  const message = parseJson(text);
  return typeof message === "object" && message !== null && "type" in message
    ? message.type
    : undefined;
}

/**
 * The graph of the user's that changed last.
 *
 * @throws {TaskError} there is none, or no answer that tells
 */
async function newestGraph(server: string, token: string): Promise<string> {
  const headers = { authorization: `Bearer ${token}` };
  const response = await fetch(`${server}/graphs`, { headers }).catch((cause) => {
    throw new TaskError(`No server answers at ${server}: start one with deno task dev`, { cause });
  });
  const text = await response.text();
  const answer = graphsAnswerSchema.safeParse(parseJson(text));
  if (!response.ok || !answer.success) {
    throw new TaskError(`${server} answers ${response.status} ${plain(text.slice(0, 200))}`);
  }
  const newest = answer.data.graphs[0];
  if (newest === undefined) throw new TaskError("This user has no graph yet: POST /graphs");
  return newest.graph_id;
}

/** @throws {TaskError | ConfigError | TypeError} the arguments or a setting are wrong */
async function called(args: readonly string[]): Promise<Called> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      sub: { type: "string" },
      token: { type: "string" },
      server: { type: "string" },
    },
  });
  const variables = environment();
  const server = (values.server ?? `http://127.0.0.1:${valueOf(settings.port, variables)}`)
    .replace(/\/$/, "");
  if (!/^https?:$/.test(URL.parse(server)?.protocol ?? "")) {
    throw new TaskError(`--server must be an http(s) address: got ${server}`);
  }
  const token = values.token ??
    await makeToken(["--sub", values.sub ?? "", "--days", "1"], variables, Date.now());
  const [text, ...more] = positionals;
  if (more.length > 0) throw new TaskError(`There must be one graph\n${USAGE}`);
  return {
    server,
    token,
    graph: text === undefined ? await newestGraph(server, token) : graphOf(text),
  };
}

/** Opened when the first is asked for: `readline` drops what comes while nobody listens. */
async function* typedLines(): AsyncGenerator<string> {
  yield* createInterface({ input: process.stdin });
}

if (import.meta.main) {
  try {
    const whom = await called(Deno.args);
    console.error(`Graph ${whom.graph}. A message in JSON is a line; Ctrl-D ends.`);
    const { asked, code, reason } = await talk(whom, typedLines(), console.log);
    if (!asked) console.error(`The server closed the socket: ${code} ${reason}`);
    // A terminal that still waits for a line would keep the process.
    Deno.exit(asked ? 0 : 1);
  } catch (cause) {
    const known = cause instanceof TaskError || cause instanceof TypeError ||
      cause instanceof ConfigError;
    if (!known) throw cause;
    console.error(`${cause.message}\n${cause instanceof TaskError ? "" : USAGE}`.trim());
    Deno.exit(2);
  }
}
