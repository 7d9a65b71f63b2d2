/** News: how late it is, and what many sockets cost, beside a server that only sends. */
import { blockTx } from "../tests/support/forms.ts";
import { ACCESS_TOKEN, startConnectServer } from "../tests/support/kv_connect/server.ts";
import { type Program, runProgram } from "../tests/support/program.ts";
import { Caller, Served, VARIABLES } from "../tests/support/served.ts";
import { CountingSocket } from "./counting_socket.ts";
import { NO_LIMITS } from "./program.ts";
import { type Result, rounded, TASK_FLAGS, timed } from "./result.ts";

const BATCHES = 300;
const NOTICES_EACH = 100;

export async function fanout(): Promise<readonly Result[]> {
  return [...await latencies(), ...await manySockets()];
}

// Latency

async function latencies(): Promise<readonly Result[]> {
  const folder = await Deno.makeTempDir();
  try {
    return [
      await sameIsolate(`${folder}/one.sqlite3`),
      await otherIsolate(`${folder}/two.sqlite3`),
      await otherProcess(),
    ];
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function sameIsolate(kvPath: string): Promise<Result> {
  await using served = await serve({ KV_PATH: kvPath });
  return await latency("same isolate", served, served);
}

async function otherIsolate(kvPath: string): Promise<Result> {
  const workers = [0, 1].map(() =>
    new Worker(new URL("isolate.ts", import.meta.url), { type: "module" })
  );
  try {
    const callers: Caller[] = [];
    for (const worker of workers) {
      const answer = new Promise<string>((resolve) => {
        worker.onmessage = ({ data }: MessageEvent<string>): void => resolve(data);
      });
      worker.postMessage({ ...VARIABLES, ...NO_LIMITS, KV_PATH: kvPath });
      callers.push(await Caller.of(await answer));
    }
    const [here, there] = callers;
    if (here === undefined || there === undefined) throw new Error("Cannot do with one worker");
    return await latency("other isolate of the process (workers)", here, there);
  } finally {
    for (const worker of workers) worker.terminate();
  }
}

async function otherProcess(): Promise<Result> {
  await using kvServer = startConnectServer();
  const variables = { KV_PATH: kvServer.url, DENO_KV_ACCESS_TOKEN: ACCESS_TOKEN };
  await using here = await serve(variables);
  await using there = await serve(variables);
  return await latency("other process, KV Connect (server in the bench)", here, there);
}

/** Batches come in at one server, and are heard of at the other. */
async function latency(what: string, here: Caller, there: Caller): Promise<Result> {
  const graph = await here.createGraph();
  using writer = await CountingSocket.open(here.socketUrl(graph));
  using reader = await CountingSocket.open(there.socketUrl(graph));
  await roundTrip(writer);
  const late: number[] = [];
  const trips: number[] = [];
  for (let t = 0; t < BATCHES; t++) {
    const [ok, changed] = [writer.next("tx/batch/ok"), reader.next(`"t":${t + 1}}`)];
    writer.send(batchText(t));
    const at = (await ok).at;
    late.push((await changed).at - at);
    trips.push(await roundTrip(writer));
  }
  const [ours, floor] = [percentile(late, 50), percentile(trips, 50)];
  return {
    what: `changed after tx/batch/ok: ${what}`,
    work: `${BATCHES} batches`,
    ours: `${rounded(ours)} ms, p99 ${rounded(percentile(late, 99))} ms`,
    floor: `${rounded(floor)} ms: ping to pong`,
    ratio: rounded(ours / floor),
  };
}

async function roundTrip(socket: CountingSocket): Promise<number> {
  const pong = socket.next("pong");
  const sent = performance.now();
  socket.send('{"type":"ping"}');
  return (await pong).at - sent;
}

function percentile(numbers: readonly number[], percent: number): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * percent / 100))] ?? NaN;
}

// Many sockets

async function manySockets(): Promise<readonly Result[]> {
  const results: Result[] = [];
  for (const [graphs, each] of [[1, 1000], [100, 10]] as const) {
    const ours = await ourSockets(graphs, each);
    const floor = await bareSockets(graphs, each);
    const what = `${graphs} ${graphs === 1 ? "graph" : "graphs"} × ${each} sockets`;
    const work = `${graphs * each} sockets, ${ours.notices} notices`;
    results.push({
      what: `memory a socket: ${what}`,
      work,
      ours: `${rounded(ours.kbASocket)} kB`,
      floor: `${rounded(floor.kbASocket)} kB`,
      ratio: rounded(ours.kbASocket / floor.kbASocket),
    }, {
      what: `notices a second: ${what}`,
      work,
      ours: `${Math.round(ours.noticesASecond)}, a commit before each ${each - 1}`,
      floor: `${Math.round(floor.noticesASecond)}, bare sends before each answer`,
      ratio: rounded(ours.noticesASecond / floor.noticesASecond),
      ...graphs === 1 && { goal: { atLeast: 0.8 } },
    });
  }
  return results;
}

interface Measured {
  readonly kbASocket: number;
  readonly notices: number;
  readonly noticesASecond: number;
}

async function ourSockets(count: number, each: number): Promise<Measured> {
  await using served = await serve({ KV_PATH: ":memory:" });
  const urls: string[] = [];
  for (let i = 0; i < count; i++) urls.push(served.socketUrl(await served.createGraph()));
  return await measured(served.program, urls, each, batchText);
}

async function bareSockets(count: number, each: number): Promise<Measured> {
  await using program = runProgram("bench/bare_sockets.ts");
  const [, url = ""] = await program.printed(/"url":"http:([^"]+)"/);
  const urls = Array.from({ length: count }, (_, i) => `ws:${url}/${i}`);
  return await measured(program, urls, each, (t) => `${t + 1}`);
}

/**
 * @param urls where the sockets of each group go
 * @param textOf what makes a notice
 */
async function measured(
  program: Program,
  urls: readonly string[],
  each: number,
  textOf: (t: number) => string,
): Promise<Measured> {
  const before = await residentKb(program);
  const sockets = await CountingSocket.openMany(urls.flatMap((url) => Array(each).fill(url)));
  try {
    const kbASocket = (await residentKb(program) - before) / sockets.length;
    const writers = sockets.filter((_, i) => i % each === 0);
    const readers = sockets.filter((_, i) => i % each !== 0);
    const last = `"t":${NOTICES_EACH}}`;
    const { ms } = await timed(() =>
      Promise.all([
        ...readers.map((reader) => reader.next(last)),
        ...writers.map((writer) => writeAll(writer, textOf)),
      ])
    );
    const notices = readers.reduce((sum, reader) => sum + reader.count, 0);
    return { kbASocket, notices, noticesASecond: notices / ms * 1000 };
  } finally {
    for (const socket of sockets) socket[Symbol.dispose]();
  }
}

/** Each when the last is answered. */
async function writeAll(writer: CountingSocket, textOf: (t: number) => string): Promise<void> {
  for (let t = 0; t < NOTICES_EACH; t++) {
    const ok = writer.next("tx/batch/ok");
    writer.send(textOf(t));
    await ok;
  }
}

async function residentKb({ pid }: Program): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(status.match(/VmRSS:\s+(\d+) kB/)?.[1]);
}

// The server

function serve(variables: Readonly<Record<string, string>>): Promise<Served> {
  return Served.start({ ...NO_LIMITS, ...variables }, TASK_FLAGS);
}

function batchText(t: number): string {
  const txs = [blockTx(crypto.randomUUID(), `block ${t}`)];
  return JSON.stringify({ type: "tx/batch", t_before: t, txs });
}
