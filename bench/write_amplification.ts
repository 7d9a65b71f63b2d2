/** What batches set over a long run, flushes included, beside the bytes of their log entries. */
import { decodeParts, parsePart } from "../kv/chunks.ts";
import { parseEntryKey } from "../kv/keys.ts";
import { nextT, type T, T_ZERO } from "../protocol/ids.ts";
import { FLUSH_FROM } from "../sync/flush.ts";
import { editsOf } from "./edits.ts";
import { open } from "./graph.ts";
import { type Result, rounded } from "./result.ts";
import type { Traffic } from "./store.ts";

const BATCHES = 100_000;
/** So often the background is waited for: a client leaves it some time, and this loop none. */
const IDLE_EVERY = 500;
const GOAL = { atMost: 6 } as const;

export async function writeAmplification(): Promise<readonly Result[]> {
  const { batches, refused, traffic, logBytes, storedLogBytes } = await run(FLUSH_FROM, BATCHES);
  const { commits, valueBytesSet, keyBytesSet } = traffic;
  const row = (bytes: number, beside: number, of: string, beside_: string): Result => ({
    what: `${of} set a batch, flushes included, to its log entry ${beside_}`,
    work: `${batches} batches of 2 forms, ${refused} refused; ${commits} commits`,
    ours: `${rounded(bytes / batches)} bytes`,
    floor: `${rounded(beside / batches)} bytes`,
    ratio: rounded(bytes / beside),
    goal: GOAL,
  });
  const { goal: _, ...withKeys } = row(
    valueBytesSet + keyBytesSet,
    logBytes,
    "values and keys",
    "as JSON",
  );
  return [
    row(valueBytesSet, logBytes, "values", "as JSON"),
    row(valueBytesSet, storedLogBytes, "values", "as it is stored"),
    withKeys,
  ];
}

/** The same in short for smaller numbers of facts from which on a flush begins. */
export async function flushThresholds(): Promise<readonly Result[]> {
  const results: Result[] = [];
  for (const flushFrom of [1000, 2000]) {
    const { batches, traffic, logBytes } = await run(flushFrom, 5000);
    results.push({
      what: `values set a batch, flushed from ${flushFrom} facts on`,
      work: `${batches} batches of 2 forms`,
      ours: `${rounded(traffic.valueBytesSet / batches)} bytes`,
      floor: `${rounded(logBytes / batches)} bytes of log`,
      ratio: rounded(traffic.valueBytesSet / logBytes),
    });
  }
  return results;
}

interface Run {
  readonly batches: number;
  readonly refused: number;
  readonly traffic: Traffic;
  /** Of all log entries, as JSON and as the store has them. */
  readonly logBytes: number;
  readonly storedLogBytes: number;
}

/** Edits all over the graph, one after the other, until so many are accepted. */
async function run(flushFrom: number, batches: number): Promise<Run> {
  let [logBytes, storedLogBytes, refused] = [0, 0, 0];
  const set = (key: Deno.KvKey, value: unknown): void => {
    if (parseEntryKey("log", key) === undefined) return;
    // Of such small edits every entry is one part.
    const part = parsePart(value);
    storedLogBytes += part.length;
    logBytes += decodeParts([part]).length;
  };
  await using bench = await open("variety-medium", flushFrom, { set });
  const edits = editsOf("ops-medium");
  let t: T = T_ZERO;
  for (let i = 0; t < batches; i++) {
    if (await bench.send(t, [edits(i)])) t = nextT(t);
    else refused++;
    if (i % IDLE_EVERY === 0) await bench.flusher.idle();
  }
  await bench.flusher.idle();
  return { batches, refused, traffic: bench.traffic, logBytes, storedLogBytes };
}
