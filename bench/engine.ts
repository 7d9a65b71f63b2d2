/** Our engine beside DataScript's own: the same recorded transactions on the same graph in memory. */
import { decodeDatom } from "../datascript/datom.ts";
import type { Db } from "../datascript/db.ts";
import { parseForms } from "../datascript/forms.ts";
import { transact } from "../datascript/transact.ts";
import { decode } from "../datascript/transit.ts";
import { DataScriptDb } from "../tests/support/datascript.ts";
import { readDatoms } from "../tests/support/fixtures.ts";
import { openFixture } from "../tests/support/memory_db.ts";
import { recorded } from "./recorded.ts";
import { median, type Result, rounded, timed } from "./result.ts";

const WARM_ROUNDS = 2;
const ROUNDS = 5;

/** Time from forms to their report, without Transit, store and what Logseq's rules ask beside. */
export async function engine(): Promise<readonly Result[]> {
  const db = openFixture("variety-medium");
  const datoms = readDatoms("variety-medium", "datoms").map((line) => decodeDatom(decode(line)));
  const other = new DataScriptDb(db.root.schema, datoms);
  return [await beside(db, other, 1), await beside(db, other, 50)];
}

/** Ms of all batches. */
interface Round {
  readonly ours: number;
  readonly theirs: number;
}

async function beside(db: Db, other: DataScriptDb, size: number): Promise<Result> {
  const batches = recorded("ops-medium", size);
  const rounds: Round[] = [];
  for (let i = 0; i < WARM_ROUNDS + ROUNDS; i++) {
    const round = await inTurns(db, other, batches);
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
  other: DataScriptDb,
  batches: readonly (readonly string[])[],
): Promise<Round> {
  const { transact: transactTheirs } = other.connect();
  let [now, ours, theirs] = [db, 0, 0];
  for (const txs of batches) {
    const values = txs.map((tx) => decode(tx));
    const own = await timed(() => transact(now, values.flatMap((value) => parseForms(value))));
    now = own.value.after;
    ours += own.ms;
    const forms = values.flatMap((value) => other.formsOf(value));
    const their = await timed(() => transactTheirs(forms));
    theirs += their.ms;
    const [made, expected] = [own.value.datoms.length, their.value.datoms.length];
    if (made !== expected) throw new Error(`${made} datoms in place of ${expected}`);
  }
  return { ours, theirs };
}
