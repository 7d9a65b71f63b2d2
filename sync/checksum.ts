/** The checksum of a graph's database: over all of it, or from what a transaction changed. */
import type { TxReport } from "../datascript/report.ts";
import {
  type Change,
  sumChange,
  summedEntities,
  type SummedEntity,
  sumOf,
} from "../logseq/checksum.ts";
import { decodeSum, encodeSum, plus, type Sum, ZERO } from "../logseq/digest.ts";
import { type Checksum, parseChecksum } from "../protocol/ids.ts";
import type { Databases, OpenDb } from "./database.ts";
import { nextTurn } from "./next_turn.ts";

/** Eids that are looked at between two looks at the event loop, and that nodes are pinned for. */
const STRETCH = 1024;

/** Characters of these nodes' rows: where values have megabytes, fewer eids are looked at at once. */
const STRETCH_LENGTH = 16 * 1024 * 1024;

/**
 * The checksum of all of a database.
 *
 * Cost: reads each entity once; in memory are the nodes of a stretch of them, beside the cache.
 */
export async function wholeChecksum(databases: Databases, open: OpenDb): Promise<Checksum> {
  let sum = ZERO;
  for await (const entities of summedStretches(databases, open)) sum = plus(sum, sumOf(entities));
  return checksumOf(sum);
}

/** All entities that are summed, ascending by eid, some at a time. On the same terms. */
export async function* summedStretches(
  databases: Databases,
  open: OpenDb,
): AsyncGenerator<readonly SummedEntity[]> {
  const { db, nodes } = open;
  for (let from = 0, eids = STRETCH;;) {
    const stretch = await databases.run(open, () => {
      if (eids > 1 && nodes.pinnedLength > STRETCH_LENGTH) return "too long";
      // Some graphs have gaps of millions in their eids.
      const start = db.nextEid(from);
      if (start === undefined) return undefined;
      const end = start + eids;
      return { end, entities: summedEntities(db, start, end) };
    });
    if (stretch === undefined) return;
    if (stretch === "too long") {
      eids = Math.ceil(eids / 2);
      continue;
    }
    yield stretch.entities;
    await nextTurn();
    from = stretch.end;
    eids = Math.min(2 * eids, STRETCH);
  }
}

/**
 * The checksum after transactions, each on top of the one before.
 *
 * Cost: see sumChange; where that can't tell, or nobody knows the one before, the whole graph.
 *
 * @param before the one before them
 */
export async function checksumAfter(
  databases: Databases,
  open: OpenDb,
  before: Checksum | undefined,
  reports: readonly [TxReport, ...TxReport[]],
): Promise<Checksum> {
  const change = asOne(reports);
  const sum = before === undefined ? undefined : await databases.run(open, () => sumChange(change));
  return before === undefined || sum === undefined
    ? await wholeChecksum(databases, { ...open, db: change.after })
    : checksumOf(plus(decodeSum(before), sum));
}

function asOne(reports: readonly [TxReport, ...TxReport[]]): Change {
  const [first] = reports;
  const { after } = reports.at(-1) ?? first;
  return { before: first.before, after, datoms: reports.flatMap(({ datoms }) => datoms) };
}

function checksumOf(sum: Sum): Checksum {
  const checksum = parseChecksum(encodeSum(sum));
  if (checksum === undefined) throw new TypeError(`Cannot write ${sum.a}, ${sum.b} as a checksum`);
  return checksum;
}
