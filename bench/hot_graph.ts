/**
 * Peak memory of a server's process (Linux) with one graph of a million datoms in use: edits all over
 * it, pulls, and rows page by page. The process began after the graph was there, as nearly all do.
 */
import { rowsAnswerSchema } from "../protocol/http.ts";
import type { GraphId } from "../protocol/ids.ts";
import type { Served } from "../tests/support/served.ts";
import { type Block, inserted, moved, picked, titled } from "./edits.ts";
import { peakBytes, startServer } from "./program.ts";
import { type Result, rounded } from "./result.ts";

const BATCHES = 10_000;
const EDITS = [titled, titled, inserted, moved] as const;
/** What a device pulls that was away for a moment, and one that has nothing. */
const PULL_EVERY = 50;
const PULL_ALL_EVERY = 1000;
/** So that all rows have been asked for once. */
const ROWS_EVERY = 140;
const PAGE = 2000;
const GOAL_MB = 300;

export async function hotGraph(
  upload: (served: Served, graph: GraphId) => Promise<void>,
  blocks: readonly Block[],
): Promise<Result> {
  const folder = await Deno.makeTempDir();
  try {
    const kvPath = `${folder}/kv.sqlite3`;
    const graph = await filled(kvPath, upload);
    await using served = await startServer(kvPath);
    const atRest = await peakBytes(served.program.pid) ?? NaN;
    const accepted = await use(served, graph, blocks);
    const peak = (await peakBytes(served.program.pid) ?? NaN) / 1e6;
    return {
      what: "peak memory: one hot graph of a million datoms",
      work: `${accepted} batches of ${BATCHES} accepted, pulls, all rows`,
      ours: `${Math.round(peak)} MB, ${Math.round(atRest / 1e6)} MB before`,
      floor: `${GOAL_MB} MB`,
      ratio: rounded(peak / GOAL_MB),
      goal: { atMost: 1 },
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The graph in a file that a server has left. */
async function filled(
  kvPath: string,
  upload: (served: Served, graph: GraphId) => Promise<void>,
): Promise<GraphId> {
  await using served = await startServer(kvPath);
  const graph = await served.createGraph();
  await upload(served, graph);
  await served.program.end("SIGTERM");
  return graph;
}

/** @returns batches that were accepted */
async function use(served: Served, graph: GraphId, blocks: readonly Block[]): Promise<number> {
  await using socket = await served.connect(graph);
  let [t, after] = [0, -1];
  for (let i = 0; i < BATCHES; i++) {
    const txs = [picked(EDITS, i)(picked(blocks, i), i)];
    const answer = await socket.ask({ type: "tx/batch", t_before: t, txs });
    if (answer.type === "tx/batch/ok") t = answer.t;
    const since = i % PULL_ALL_EVERY === 0 ? 0 : Math.max(0, t - PULL_EVERY);
    if (i % PULL_EVERY === 0) await socket.ask({ type: "pull", since });
    if (i % ROWS_EVERY === 0) after = await nextRows(served, graph, after);
  }
  return t;
}

/** Reads a page; answers where the next one begins. */
async function nextRows(served: Served, graph: GraphId, after: number): Promise<number> {
  const text = await served.text(`/sync/${graph}/snapshot/rows?after=${after}&limit=${PAGE}`);
  const { last_addr, done } = rowsAnswerSchema.parse(JSON.parse(text));
  return done ? -1 : last_addr;
}
