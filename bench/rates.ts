/** How many batches a second, beside bare commits behind a bare WebSocket, and beside one writer. */
import type { GraphId } from "../protocol/ids.ts";
import { readRows } from "../tests/support/fixtures.ts";
import { type FloorPlan, openFloor } from "./floor.ts";
import { load, type Outcome, type Plan } from "./load.ts";
import { type BenchServer, openServer } from "./program.ts";
import { type Result, rounded } from "./result.ts";

const PAGE = 2000;
/** Ours and the floor take turns, so that what else the machine does falls on both. */
const ROUNDS = 2;
const GRAPHS = 64;
const RIVALS = 16;
const RIVAL_BATCHES = 40;

export async function rates(): Promise<readonly Result[]> {
  await using server = await openServer();
  return [await oneClient(server), await manyGraphs(server), await rivals(server)];
}

/** One client that sends the recorded batches one after the other. */
async function oneClient(server: BenchServer): Promise<Result> {
  const { ours, floor } = await besideFloor(server, "variety-medium", "ops-medium", 1, 1);
  return batchesRow("one client, its batches one after the other", ours, floor);
}

async function manyGraphs(server: BenchServer): Promise<Result> {
  const { ours, floor } = await besideFloor(server, "variety-small", "ops-small", GRAPHS, 2);
  return batchesRow(`${GRAPHS} clients on ${GRAPHS} graphs, 2 processes of load`, ours, floor);
}

/** Many clients of one graph beside one client of one graph; both send new blocks. */
async function rivals(server: BenchServer): Promise<Result> {
  const plan = { kind: "rivals", set: "", wanted: RIVAL_BATCHES } as const;
  const rival = { ms: 0, sent: 0, accepted: 0 };
  const alone = { ms: 0, sent: 0, accepted: 0 };
  for (let round = 0; round < ROUNDS; round++) {
    const [shared, own] = [await server.served.createGraph(), await server.served.createGraph()];
    const addresses = Array.from({ length: RIVALS }, () => server.served.socketUrl(shared));
    add(rival, await load({ ...plan, addresses }));
    const wanted = RIVALS * RIVAL_BATCHES;
    add(alone, await load({ ...plan, addresses: [server.served.socketUrl(own)], wanted }));
  }
  return {
    what: `${RIVALS} clients on one graph, pull and retry on stale, to one writer`,
    work: `${rival.accepted} batches accepted of ${rival.sent}`,
    ours: rateOf(rival),
    floor: rateOf(alone),
    ratio: rounded((rival.accepted / rival.ms) / (alone.accepted / alone.ms)),
  };
}

async function besideFloor(
  server: BenchServer,
  rows: string,
  set: string,
  clients: number,
  processes: number,
): Promise<{ readonly ours: Outcome; readonly floor: Outcome }> {
  const ours = { ms: 0, sent: 0, accepted: 0 };
  const floor = { ms: 0, sent: 0, accepted: 0 };
  for (let round = 0; round < ROUNDS; round++) {
    const graphs = await Promise.all(
      Array.from({ length: clients }, () => server.served.createGraph()),
    );
    for (const graph of graphs) await upload(server, graph, rows);
    const plan = { kind: "recorded", set, wanted: 0 } as const;
    const addresses = graphs.map((graph) => server.served.socketUrl(graph));
    add(ours, await loadFrom(processes, { ...plan, addresses }));
    await using bare = await openFloor(await floorPlan(server, graphs));
    const bareAddresses = graphs.map((graph) => `${bare.url}/${graph}`);
    add(floor, await loadFrom(processes, { ...plan, kind: "echo", addresses: bareAddresses }));
  }
  return { ours, floor };
}

/** The clients divided among as many processes. The time is that of the slowest. */
async function loadFrom(processes: number, plan: Plan): Promise<Outcome> {
  const outcomes = await Promise.all(
    Array.from({ length: processes }, (_, i) =>
      load({
        ...plan,
        addresses: plan.addresses.filter((_, j) => j % processes === i),
      })),
  );
  const total = { ms: 0, sent: 0, accepted: 0 };
  for (const outcome of outcomes) add(total, outcome);
  return { ...total, ms: Math.max(...outcomes.map(({ ms }) => ms)) };
}

async function upload(server: BenchServer, graph: GraphId, set: string): Promise<void> {
  const rows = readRows(set);
  for (let start = 0; start < rows.length; start += PAGE) {
    const body = JSON.stringify({ reset: start === 0, rows: rows.slice(start, start + PAGE) });
    await server.served.text(`/sync/${graph}/snapshot/import`, body);
  }
}

/** A file beside the server's, and values as large as its own are on average. */
async function floorPlan(server: BenchServer, graphs: readonly GraphId[]): Promise<FloorPlan> {
  using kv = await Deno.openKv(server.kvPath);
  const mean = async (list: string): Promise<number> => {
    let [bytes, count] = [0, 0];
    for (const graph of graphs.slice(0, 4)) {
      for await (const { value } of kv.list<Uint8Array>({ prefix: [list, graph] })) {
        bytes += value.length;
        count++;
      }
    }
    return Math.round(bytes / count);
  };
  const kvPath = `${server.kvPath}.${crypto.randomUUID()}`;
  return { kvPath, logBytes: await mean("log"), tailBytes: await mean("tail") };
}

function batchesRow(what: string, ours: Outcome, floor: Outcome): Result {
  return {
    what,
    work: `${ours.accepted} batches accepted of ${ours.sent}`,
    ours: rateOf(ours),
    floor: rateOf(floor),
    ratio: rounded((ours.sent / ours.ms) / (floor.sent / floor.ms)),
  };
}

function rateOf({ accepted, ms }: Outcome): string {
  return `${Math.round(accepted / ms * 1000)} batches/s`;
}

function add(
  total: { ms: number; sent: number; accepted: number },
  { ms, sent, accepted }: Outcome,
): void {
  total.ms += ms;
  total.sent += sent;
  total.accepted += accepted;
}
