/** The log of a graph, and the tail beside it. Problems are told as they are found. */
import { z } from "zod";
import type { Db } from "../datascript/db.ts";
import { NO_LIMITS, parseForms } from "../datascript/forms.ts";
import { decodeTailTx, withTailTx } from "../datascript/root.ts";
import { decode, encode } from "../datascript/transit.ts";
import { type Head, readHead } from "../kv/head.ts";
import {
  CorruptLogError,
  lastEntry,
  type LogEntry,
  readEntries,
  readTail,
  type TailEntry,
} from "../kv/txlog.ts";
import { normalize, normalizeForToday } from "../logseq/normalize.ts";
import { tSchema } from "../protocol/id_schema.ts";
import { nextT, parseT, type T, T_ZERO } from "../protocol/ids.ts";
import type { Databases, OpenDb } from "./database.ts";
import { isDamage, type Problems } from "./problems.ts";

/** From this many missing or broken entries on, the rest of the log isn't read. */
const MAX_BROKEN = 20;

const entrySchema = z.object({ t: tSchema, tx: z.string() });
const decoder = new TextDecoder();

/** Reads entries 1 to t, goes on after one that is missing or broken, and answers how many it read. */
export async function verifyLog(kv: Deno.Kv, head: Head, problems: Problems): Promise<number> {
  const { graph, log, t } = head;
  let read = 0;
  let last = T_ZERO;
  for (let broken = 0; last < t && broken < MAX_BROKEN; broken++) {
    try {
      for await (const entry of readEntries(kv, graph, log, last, t)) {
        last = entry.t;
        read++;
        problems.catchNow(`entry ${entry.t} of the log`, () => txOf(entry));
      }
    } catch (cause) {
      if (!isDamage(cause)) throw cause;
      last = nextT(last);
      await problems.catch(`entry ${last} of the log`, () => Promise.reject(cause));
    }
  }
  if (last < t) problems.tell("the log", `is not read from t ${nextT(last)} on`);
  await verifyEnd(kv, head, problems);
  return read;
}

/** The text of an entry, which holds forms. @throws {CorruptLogError | TransitError | TransactError} */
function txOf({ t, json }: LogEntry): string {
  let entry: z.output<typeof entrySchema>;
  try {
    entry = entrySchema.parse(JSON.parse(decoder.decode(json)));
  } catch (cause) {
    throw new CorruptLogError(`Cannot read entry ${t} of the log`, { cause });
  }
  if (entry.t !== t) throw new CorruptLogError(`Cannot read entry ${t}: it says t ${entry.t}`);
  parseForms(decode(entry.tx), NO_LIMITS);
  return entry.tx;
}

/** Nothing is beyond the head: entries come with the head that has their t. */
async function verifyEnd(kv: Deno.Kv, { graph, log }: Head, problems: Problems): Promise<void> {
  for (const list of ["log", "tail"] as const) {
    const last = await lastEntry(kv, list, graph, log);
    const now = await readHead(kv, graph);
    if (last === undefined || now?.log !== log || last <= now.t) continue;
    problems.tell(`entry ${last} of the ${list}`, `is beyond the head, which is at t ${now.t}`);
  }
}

/**
 * Holds each transaction of the tail against the log's entry of the same t; answers the database
 * with all of them.
 *
 * @param base the database before the tail, of a head of the same rows and log
 * @throws {CorruptLogError | RowMissingError | TransitError | CorruptRowError} an entry of the tail,
 *   or a node on the way, can't be read: then the rest isn't looked at
 */
export async function verifyTail(
  kv: Deno.Kv,
  databases: Databases,
  base: OpenDb,
  since: T,
  problems: Problems,
): Promise<Db> {
  const { graph, log, t } = base.head;
  let { db } = base;
  for await (const tail of readTail(kv, graph, log, since, t)) {
    const open = { ...base, db };
    db = await verifyTailEntry(
      databases,
      open,
      tail,
      await readTx(kv, base.head, tail.t),
      problems,
    );
  }
  return db;
}

/** The database after an entry. */
async function verifyTailEntry(
  databases: Databases,
  open: OpenDb,
  { t, transit }: TailEntry,
  tx: string | undefined,
  problems: Problems,
): Promise<Db> {
  const before = open.db;
  const datoms = decodeTailTx(transit);
  const id = before.maxTx + 1;
  if (datoms.some((datom) => datom.tx !== id)) {
    problems.tell(`entry ${t} of the tail`, `has datoms of another transaction than ${id}`);
  }
  const after = withTailTx(before, datoms).withMaxTx(id);
  const report = { before, after, datoms, tempids: new Map() };
  const logged = tx === undefined ? undefined : encode(decode(tx));
  const isLogged = async (entryOf: typeof normalize): Promise<boolean> =>
    encode(await databases.run(open, () => entryOf(report))) === logged;
  // In which of the two orders it was written, the log doesn't say.
  const isTold = await isLogged(normalize) || await isLogged(normalizeForToday);
  if (logged !== undefined && !isTold) {
    problems.tell(`entry ${t} of the tail`, "does not say what the log says");
  }
  return after;
}

/** `undefined`: it can't be read, as `verifyLog` tells. */
async function readTx(kv: Deno.Kv, { graph, log }: Head, t: T): Promise<string | undefined> {
  const since = parseT(t - 1) ?? T_ZERO;
  try {
    for await (const entry of readEntries(kv, graph, log, since, t)) return txOf(entry);
  } catch (cause) {
    if (!isDamage(cause)) throw cause;
  }
  return undefined;
}
