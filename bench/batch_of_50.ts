/**
 * CPU time of a batch of 50 recorded transactions, from its frame's text to its answer's, beside that
 * of reading the same frame as JSON and its transactions as Transit. All in this process: its CPU
 * time is that of all its threads, so the store's and the collector's count too. Nodes are in memory,
 * and what is compiled in the first rounds isn't counted. Flushes are told of apart.
 */
import process from "node:process";
// @ts-types="@types/transit-js"
import transit from "transit-js";
import { decodeNode } from "../datascript/node.ts";
import { decode } from "../datascript/transit.ts";
import { readHead } from "../kv/head.ts";
import { listRows, parseRowJson } from "../kv/rows.ts";
import { parseClientMessage } from "../protocol/client_message.ts";
import { type GraphId, TAIL_ADDR } from "../protocol/ids.ts";
import { type BatchDeps, txBatch } from "../sync/batch.ts";
import { type NodeCache, rowsIdOf } from "../sync/node_cache.ts";
import { readRows } from "../tests/support/fixtures.ts";
import { newNodes } from "../tests/support/nodes.ts";
import { addGraph, batchDeps } from "./graph.ts";
import { recorded } from "./recorded.ts";
import { median, type Result, rounded } from "./result.ts";

const TXS = 50;
const WARM_ROUNDS = 2;
const ROUNDS = 3;

export async function batchOf50(): Promise<readonly Result[]> {
  const batches = recorded("ops-medium", TXS);
  const rounds: Round[] = [];
  for (let i = 0; i < WARM_ROUNDS + ROUNDS; i++) {
    const round = await onNewGraph(batches);
    if (i >= WARM_ROUNDS) rounds.push(round);
  }
  const { accepted = 0 } = rounds[0] ?? {};
  const work = `${accepted} batches of ${TXS} txs, ${batches.length - accepted} refused; ` +
    `median of ${ROUNDS} rounds`;
  const each = (of: (round: Round) => number): string =>
    `${rounded(median(rounds.map((round) => of(round) / round.accepted)))} ms`;
  const row = (
    what: string,
    ours: (round: Round) => number,
    [name, floor]: readonly [string, (round: Round) => number],
  ): Result => ({
    what,
    work,
    ours: `${each(ours)} of CPU`,
    floor: `${each(floor)}: ${name}`,
    ratio: rounded(median(rounds.map((round) => ours(round) / floor(round)))),
  });
  const own = ["JSON.parse and our decode", (round: Round) => round.decoded] as const;
  const plain = ["JSON.parse and transit-js's reader", (round: Round) => round.read] as const;
  const what = `batch of ${TXS} real txs`;
  return [
    { ...row(what, (round) => round.ours, own), goal: { atMost: 3 } },
    { ...row(what, (round) => round.ours, plain), goal: { atMost: 3 } },
    row(`${what}, flushes included`, (round) => round.ours + round.flushes, own),
  ];
}

/** Ms of CPU, of all batches that were accepted. */
interface Round {
  readonly accepted: number;
  readonly ours: number;
  readonly flushes: number;
  readonly decoded: number;
  readonly read: number;
}

async function onNewGraph(batches: readonly (readonly string[])[]): Promise<Round> {
  using kv = await Deno.openKv(":memory:");
  const graph = await addGraph(kv, readRows("variety-medium"));
  const deps = batchDeps(kv, undefined, await allNodes(kv, graph));
  let [t, accepted, ours, flushes, decoded, read] = [0, 0, 0, 0, 0, 0];
  for (const txs of batches) {
    const frame = JSON.stringify({ type: "tx/batch", t_before: t, txs });
    const { ms, value } = await cpuOf(() => answered(deps, graph, frame));
    flushes += (await cpuOf(() => deps.flusher.idle())).ms;
    if (value === undefined) continue;
    accepted++;
    t = value;
    ours += ms;
    decoded += (await cpuOf(() => txsOf(frame).forEach((tx) => decode(tx)))).ms;
    read += (await cpuOf(() => txsOf(frame).forEach((tx) => transit.reader("json").read(tx)))).ms;
  }
  return { accepted, ours, flushes, decoded, read };
}

/** As a connection deals with it: text in, text out; the version reached, if it is accepted. */
async function answered(
  deps: BatchDeps,
  graph: GraphId,
  frame: string,
): Promise<number | undefined> {
  const parsed = parseClientMessage(frame);
  if (!parsed.ok || parsed.message.type !== "tx/batch") throw new Error("Cannot read the frame");
  const answer = await txBatch(deps, graph, parsed.message);
  return JSON.stringify(answer) && answer?.type === "tx/batch/ok" ? answer.t : undefined;
}

/** Bare, so not parsed any further: the frame is this bench's own. */
function txsOf(frame: string): readonly string[] {
  return JSON.parse(frame).txs;
}

/** The nodes of a graph, all of them decoded. */
async function allNodes(kv: Deno.Kv, graph: GraphId): Promise<NodeCache> {
  const head = await readHead(kv, graph);
  if (head === undefined) throw new Error("Cannot find the graph");
  const nodes = newNodes();
  for await (const json of listRows(kv, graph, head.rows, TAIL_ADDR)) {
    const row = parseRowJson(graph, head.rows, json);
    nodes.set(rowsIdOf(head), row.addr, decodeNode(row), row.content.length);
  }
  return nodes;
}

/** Ms of CPU that all threads of this process took meanwhile. */
async function cpuOf<Value>(
  work: () => Promise<Value> | Value,
): Promise<{ readonly ms: number; readonly value: Value }> {
  const start = process.cpuUsage();
  const value = await work();
  const { user, system } = process.cpuUsage(start);
  return { ms: (user + system) / 1000, value };
}
