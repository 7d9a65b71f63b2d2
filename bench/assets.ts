/**
 * A file of 100 MiB up and down, beside bare commits and reads of the same chunks, and by how much
 * that raises the peak memory of the server's process (Linux).
 */
import { once } from "node:events";
import { createReadStream } from "node:fs";
import http from "node:http";
import { pipeline } from "node:stream/promises";
import { Served } from "../tests/support/served.ts";
import { peakBytes } from "./program.ts";
import { median, type Result, rounded, TASK_FLAGS, timed } from "./result.ts";

const MIB = 1024 * 1024;
const FILE_BYTES = 100 * MIB;
/** Also what one commit takes, at most: 12 of them. */
const CHUNK_BYTES = 64 * 1024;
const CHUNKS_A_COMMIT = 12;
const ROUNDS = 5;
const GROWTH_GOAL_MIB = 48;

export async function assets(): Promise<readonly Result[]> {
  const folder = await Deno.makeTempDir();
  try {
    const file = `${folder}/file`;
    await Deno.writeFile(file, ReadableStream.from(chunks()));
    await using served = await Served.start({ KV_PATH: `${folder}/kv.sqlite3` }, TASK_FLAGS);
    const graph = await served.createGraph();
    const restBytes = await peakBytes(served.program.pid);
    using kv = await Deno.openKv(`${folder}/bare.sqlite3`);
    // Taking turns, as what else the machine does comes and goes; the first round is to warm up.
    await round(served, graph, kv, file, 0);
    const rounds: Round[] = [];
    for (let i = 1; i <= ROUNDS; i++) rounds.push(await round(served, graph, kv, file, i));
    const peak = await peakBytes(served.program.pid);
    const growth = peak === undefined || restBytes === undefined ? undefined : peak - restBytes;
    return [
      ...(["up", "down"] as const).map((way) => {
        const ours = median(rounds.map((round) => round[way]));
        const bare = median(rounds.map((round) => round[`${way}Bare`]));
        return {
          what: `an asset ${way}, floor to ours`,
          work: `${FILE_BYTES / MIB} MiB, median of ${ROUNDS}`,
          ours: `${Math.round(ours)} ms`,
          floor: `${Math.round(bare)} ms`,
          ratio: rounded(bare / ours),
          goal: { atLeast: 0.6 },
        };
      }),
      ...growth === undefined ? [] : [{
        what: "peak memory: growth by assets up and down",
        work: `${ROUNDS + 1} times ${FILE_BYTES / MIB} MiB`,
        ours: `${Math.round(growth / MIB)} MiB`,
        floor: `${GROWTH_GOAL_MIB} MiB`,
        ratio: rounded(growth / MIB / GROWTH_GOAL_MIB),
        goal: { atMost: 1 },
      }],
    ];
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Each in ms. */
interface Round {
  readonly up: number;
  readonly down: number;
  readonly upBare: number;
  readonly downBare: number;
}

async function round(
  served: Served,
  graph: string,
  kv: Deno.Kv,
  file: string,
  i: number,
): Promise<Round> {
  const path = `/assets/${graph}/${crypto.randomUUID()}.bin`;
  const { ms: upBare } = await timed(async () => {
    let operation = kv.atomic();
    let count = 0;
    for (const chunk of chunks()) {
      operation.set(["blob", i, count++], chunk);
      if (count % CHUNKS_A_COMMIT !== 0) continue;
      await operation.commit();
      operation = kv.atomic();
    }
    await operation.commit();
  });
  const { ms: up } = await timed(async () => {
    const status = await upload(served, path, file);
    if (status !== 200) throw new Error(`Cannot go on as the upload was answered with ${status}`);
  });
  const { ms: downBare } = await timed(async () => {
    for await (const entry of kv.list({ prefix: ["blob", i] }, { batchSize: 16 })) void entry;
  });
  const { ms: down } = await timed(async () => {
    let bytes = 0;
    for await (const piece of (await served.fetch(path)).body ?? []) bytes += piece.length;
    if (bytes !== FILE_BYTES) throw new Error(`Cannot go on: ${bytes} bytes came down`);
  });
  return { up, down, upBare, downBare };
}

/** The file's bytes; random, as what a store or a wire could make of equal ones is no measure. */
function* chunks(): Generator<Uint8Array<ArrayBuffer>> {
  const chunk = crypto.getRandomValues(new Uint8Array(CHUNK_BYTES));
  for (let i = 0; i < FILE_BYTES / CHUNK_BYTES; i++) {
    chunk[i % CHUNK_BYTES] = i;
    yield chunk.slice();
  }
}

/**
 * By node's client: fetch copies a body that it has whole for as long as sending it takes, and a
 * stream of its stalls for 40 ms whenever the server takes its time (its TCP_NODELAY is off).
 */
async function upload(served: Served, path: string, file: string): Promise<number> {
  const request = http.request(`${served.url}${path}`, {
    method: "PUT",
    headers: { authorization: served.authorization, "content-length": FILE_BYTES },
  });
  request.setNoDelay(true);
  const answered = once(request, "response");
  await pipeline(createReadStream(file, { highWaterMark: 256 * 1024 }), request);
  const [response] = await answered;
  response.resume();
  return response.statusCode;
}
