/** Our engine beside DataScript's own: the same recorded transactions on the same graph in memory. */
import type { Db } from "../datascript/db.ts";
import { parseForms } from "../datascript/forms.ts";
import { transact } from "../datascript/transact.ts";
import { decode } from "../datascript/transit.ts";
import { readDatoms } from "../tests/support/fixtures.ts";
import { openFixture } from "../tests/support/memory_db.ts";
import { DataScriptGraph } from "./datascript.ts";
import { recorded } from "./recorded.ts";
import { median, type Result, rounded, timed } from "./result.ts";

const WARM_ROUNDS = 2;
const ROUNDS = 5;

/** Time from forms to their report, without Transit, store and what Logseq's rules ask beside. */
export async function engine(): Promise<readonly Result[]> {
  const db = openFixture("variety-medium");
  const graph = new DataScriptGraph(db.root.schema, readDatoms("variety-medium", "datoms"));
  return [await beside(db, graph, 1), await beside(db, graph, 50)];
}

/** Ms of all batches. */
interface Round {
  readonly ours: number;
  readonly theirs: number;
}

async function beside(db: Db, graph: DataScriptGraph, size: number): Promise<Result> {
  const batches = recorded("ops-medium", size);
  const rounds: Round[] = [];
  for (let i = 0; i < WARM_ROUNDS + ROUNDS; i++) {
    const round = await inTurns(db, graph, batches);
    if (i >= WARM_ROUNDS) rounds.push(round);
  }
  const each = (of: (round: Round) => number): string =>
    `${rounded(median(rounds.map(of)) / batches.length)} ms a batch`;
  return {
    what: size === 1 ? "transact a real tx" : `transact ${size} real txs as one`,
    work: `${batches.length} batches; median of ${ROUNDS} rounds`,
    ours: each(({ ours }) => ours),
    floor: `${each(({ theirs }) => theirs)}: DataScript in JavaScript`,
    ratio: rounded(median(rounds.map(({ ours, theirs }) => ours / theirs))),
  };
}

/** Both do each batch, one after the other, and have to come to as many datoms. */
async function inTurns(
  db: Db,
  graph: DataScriptGraph,
  batches: readonly (readonly string[])[],
): Promise<Round> {
  const { transact: transactTheirs } = graph.connect();
  let [now, ours, theirs] = [db, 0, 0];
  for (const txs of batches) {
    const values = txs.map((tx) => decode(tx));
    const own = await timed(() => transact(now, values.flatMap(parseForms)));
    now = own.value.after;
    ours += own.ms;
    const forms = txs.flatMap((tx) => graph.forms(tx));
    const other = await timed(() => transactTheirs(forms));
    theirs += other.ms;
    if (other.value !== own.value.datoms.length) {
      throw new Error(`${own.value.datoms.length} datoms in place of ${other.value}`);
    }
  }
  return { ours, theirs };
}
