/** What today's dialect costs beside the seed's: the checksum, and the ids of entries. */
import { nextT, type T, T_ZERO } from "../protocol/ids.ts";
import { editsOf } from "./edits.ts";
import { type Bench, open } from "./graph.ts";
import { type Result, rounded, timed } from "./result.ts";

/** Turns that the ways take, so that what else the machine does falls on all of them. */
const ROUNDS = 20;
const EDITS = 100;

/** A graph, its version, and how an edit gets into it. */
interface Way {
  readonly what: string;
  readonly bench: Bench;
  t: T;
  ms: number;
  readonly write: (t: T, tx: string) => Promise<T>;
}

/** Time of a small batch: the seed's on its own graph and on one with a checksum, and an entry. */
export async function entries(): Promise<readonly Result[]> {
  const edits = editsOf("ops-medium");
  await using plain = await open("variety-medium", Infinity);
  await using summed = await open("variety-medium", Infinity);
  await using today = await open("variety-medium", Infinity);
  const seeds = (bench: Bench) => async (t: T, tx: string): Promise<T> =>
    await bench.send(t, [tx]) ? nextT(t) : t;
  const ways: readonly [Way, ...Way[]] = [
    { what: "a batch of the seed's", bench: plain, t: T_ZERO, ms: 0, write: seeds(plain) },
    { what: "with a checksum", bench: summed, t: T_ZERO, ms: 0, write: seeds(summed) },
    {
      what: "an entry of today's",
      bench: today,
      t: T_ZERO,
      ms: 0,
      write: (t, tx) => today.sendEntries(t, [tx]),
    },
  ];
  // From the first entry on a graph has a checksum. It reads all of the graph, and so warms it.
  const [, second, third] = ways;
  for (const way of [second, third]) {
    if (way !== undefined) way.t = await way.bench.sendEntries(way.t, [edits(0)]);
  }
  ways[0].t = await ways[0].write(ways[0].t, edits(0));
  for (let round = 0; round <= ROUNDS; round++) {
    for (const way of ways) {
      const { ms } = await timed(async () => {
        for (let i = 0; i < EDITS; i++) way.t = await way.write(way.t, edits(round * EDITS + i));
      });
      // The first round warms.
      if (round > 0) way.ms += ms;
    }
  }
  const [floor] = ways;
  return ways.slice(1).map(({ what, ms }) => ({
    what,
    work: `${ROUNDS * EDITS} edits of 2 forms`,
    ours: `${rounded(ms / (ROUNDS * EDITS))} ms each`,
    floor: `${rounded(floor.ms / (ROUNDS * EDITS))} ms: ${floor.what}`,
    ratio: rounded(ms / floor.ms),
  }));
}
