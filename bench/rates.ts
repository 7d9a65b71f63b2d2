/**
 * How many batches a second, beside bare commits behind a bare WebSocket, and beside one writer. A
 * server runs for hours, so in all rows but one the clients of a round do the same on other graphs
 * first, uncounted: server, floor and load have compiled by then what they need. The graphs that
 * count are new to the process even so: their first batches, for which it reads them, are one row,
 * those that follow another.
 */
import type { GraphId } from "../protocol/ids.ts";
import type { Served } from "../tests/support/served.ts";
import { readRows } from "../tests/support/fixtures.ts";
import { type FloorPlan, openFloor } from "./floor.ts";
import { load, type Outcome, type Plan } from "./load.ts";
import { type BenchServer, openServer } from "./program.ts";
import { type Goal, type Result, rounded } from "./result.ts";

const PAGE = 2000;
/** Ours and the floor take turns, so that what else the machine does falls on both. */
const ROUNDS = 3;
const GRAPHS = 64;
const WARM_UP_GRAPHS = 8;
const RIVALS = 16;
const RIVAL_BATCHES = 20;

/** What the clients of a row do, each on a graph of its own. */
interface Load {
  readonly rows: string;
  readonly work: Exclude<Plan["work"], { readonly kind: "rivals" }>;
  readonly clients: number;
  readonly warmUpClients: number;
  /** The clients are divided among as many. */
  readonly processes: number;
}

const ONE: Load = {
  rows: "variety-medium",
  work: { kind: "singles", set: "ops-medium", stretches: [300, 600] },
  clients: 1,
  warmUpClients: 1,
  processes: 1,
};
const COLD: Load = {
  ...ONE,
  work: { kind: "recorded", set: "ops-medium", stretches: [300] },
  warmUpClients: 0,
};
const MANY: Load = {
  rows: "variety-small",
  work: { kind: "recorded", set: "ops-small", stretches: [25, 50] },
  clients: GRAPHS,
  warmUpClients: WARM_UP_GRAPHS,
  processes: 2,
};

export async function rates(): Promise<readonly Result[]> {
  await using server = await openServer();
  const one = "one client, batches of one tx one after the other";
  const many = `${GRAPHS} clients on ${GRAPHS} graphs, 2 processes of load`;
  return [
    ...batchesRows(
      [`${one}: first of a graph`, `${one}: later ones`],
      await besideFloor(ONE, server),
      { atLeast: 0.6 },
    ),
    ...batchesRows(
      ["one client, its recorded batches, of a process that begins"],
      await besideFloor(COLD),
    ),
    ...batchesRows([`${many}: first`, `${many}: later ones`], await besideFloor(MANY, server), {
      atLeast: 0.7,
    }),
    await rivals(server),
  ];
}

/** Many clients of one graph beside one client of one graph; both send new blocks. */
async function rivals({ served }: BenchServer): Promise<Result> {
  const [rival, alone] = [none(), none()];
  const run = async (total: Total, clients: number, wanted: number): Promise<void> => {
    const [graph, other] = [await served.createGraph(), await served.createGraph()];
    const outcomes = await load({
      addresses: Array.from({ length: clients }, () => served.socketUrl(graph)),
      warmUp: Array.from({ length: clients }, () => served.socketUrl(other)),
      work: { kind: "rivals", wanted },
    });
    for (const outcome of outcomes) add(total, outcome);
  };
  for (let round = 0; round < ROUNDS; round++) {
    await run(rival, RIVALS, RIVAL_BATCHES);
    await run(alone, 1, RIVALS * RIVAL_BATCHES);
  }
  return {
    what: `${RIVALS} clients on one graph, pull and retry on stale, to one writer`,
    work: `${rival.accepted} batches accepted of ${rival.sent}`,
    ours: rateOf(rival),
    floor: rateOf(alone),
    ratio: rounded((rival.accepted / rival.ms) / (alone.accepted / alone.ms)),
    goal: { atLeast: 0.5 },
  };
}

interface BesideFloor {
  readonly ours: Outcome;
  readonly floor: Outcome;
}

/**
 * Of each stretch of the work.
 *
 * @param server without it each round has a new one, and a new floor
 */
async function besideFloor(row: Load, server?: BenchServer): Promise<readonly BesideFloor[]> {
  const stretches = row.work.stretches.map(() => ({ ours: none(), floor: none() }));
  const rounds = async (at: BenchServer, count: number): Promise<void> => {
    await using stack = new AsyncDisposableStack();
    let bare: { readonly url: string } | undefined;
    for (let round = 0; round < count; round++) {
      const graphs = await graphsOf(row, at);
      const ours = await loadFrom(row, graphs, (graph) => at.served.socketUrl(graph));
      bare ??= stack.use(await openFloor(await floorPlan(at, graphs.counted)));
      const { url } = bare;
      const floor = await loadFrom(row, graphs, (graph) => `${url}/${graph}`);
      for (const [i, stretch] of stretches.entries()) {
        add(stretch.ours, ours[i]);
        add(stretch.floor, floor[i]);
      }
    }
  };
  if (server !== undefined) await rounds(server, ROUNDS);
  else {
    for (let round = 0; round < ROUNDS; round++) {
      await using own = await openServer();
      await rounds(own, 1);
    }
  }
  return stretches;
}

interface Graphs {
  readonly counted: readonly GraphId[];
  readonly warmUp: readonly GraphId[];
}

async function graphsOf(
  { rows, clients, warmUpClients }: Load,
  { served }: BenchServer,
): Promise<Graphs> {
  const graphs: GraphId[] = [];
  for (let i = 0; i < clients + warmUpClients; i++) {
    const graph = await served.createGraph();
    await upload(served, graph, rows);
    graphs.push(graph);
  }
  return { counted: graphs.slice(0, clients), warmUp: graphs.slice(clients) };
}

/** Of each stretch; the time is that of the slowest process. */
async function loadFrom(
  { work, processes }: Load,
  { counted, warmUp }: Graphs,
  addressOf: (graph: GraphId) => string,
): Promise<readonly Outcome[]> {
  const shareOf = (graphs: readonly GraphId[], process: number): string[] =>
    graphs.filter((_, i) => i % processes === process).map(addressOf);
  const outcomes = await Promise.all(
    Array.from(
      { length: processes },
      (_, process) =>
        load({ work, addresses: shareOf(counted, process), warmUp: shareOf(warmUp, process) }),
    ),
  );
  return work.stretches.map((_, i) => {
    const total = none();
    for (const stretches of outcomes) add(total, stretches[i]);
    return { ...total, ms: Math.max(...outcomes.map((stretches) => stretches[i]?.ms ?? 0)) };
  });
}

async function upload(served: Served, graph: GraphId, set: string): Promise<void> {
  const rows = readRows(set);
  for (let start = 0; start < rows.length; start += PAGE) {
    const body = JSON.stringify({ reset: start === 0, rows: rows.slice(start, start + PAGE) });
    await served.text(`/sync/${graph}/snapshot/import`, body);
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

/** @param whats of each stretch */
function batchesRows(
  whats: readonly string[],
  stretches: readonly BesideFloor[],
  goal?: Goal,
): readonly Result[] {
  return stretches.map(({ ours, floor }, i) => ({
    what: whats[i] ?? "",
    work: `${ours.accepted} batches accepted of ${ours.sent}`,
    ours: rateOf(ours),
    floor: rateOf(floor),
    ratio: rounded((ours.sent / ours.ms) / (floor.sent / floor.ms)),
    ...goal !== undefined && { goal },
  }));
}

function rateOf({ accepted, ms }: Outcome): string {
  return `${Math.round(accepted / ms * 1000)} batches/s`;
}

interface Total {
  ms: number;
  sent: number;
  accepted: number;
}

function none(): Total {
  return { ms: 0, sent: 0, accepted: 0 };
}

function add(total: Total, { ms, sent, accepted }: Outcome = none()): void {
  total.ms += ms;
  total.sent += sent;
  total.accepted += accepted;
}
