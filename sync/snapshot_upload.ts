/**
 * Rows in by several calls, of which only the last makes them the graph's (upstream.md §1.10). Until
 * then nobody sees them, and the graph stays as it is; what never comes to its end is swept.
 */
import type { KvSet } from "../kv/change.ts";
import { writeInCommits } from "../kv/commit.ts";
import { generationsOf, markGarbage } from "../kv/garbage.ts";
import { readyChange } from "../kv/graphs.ts";
import { begun, commitHead, readHead } from "../kv/head.ts";
import { importedRowSets } from "../kv/rows.ts";
import {
  holdUpload,
  isHeld,
  openUpload,
  readUploadRows,
  type Upload,
} from "../kv/snapshot_uploads.ts";
import { type Generation, type GraphId, T_ZERO, type UserId } from "../protocol/ids.ts";
import { loggerFor } from "../telemetry/log.ts";
import { compareRows } from "./compare_rows.ts";
import type { ImportDeps, ImportedRows } from "./import.ts";
import { faultOfRows } from "./rows_check.ts";
import { type Attempt, attempted, untilSettled } from "./settle.ts";
import { trySweep } from "./try_sweep.ts";

const log = loggerFor("snapshot-upload");

/** One call. */
export interface UploadCall {
  readonly by: UserId;
  /** Begins an upload, in the place of any that is under way; else it goes on with the caller's. */
  readonly reset: boolean;
  /** With these rows all are there. */
  readonly finished: boolean;
  readonly rows: ImportedRows;
}

/**
 * `staged`: they are kept until the last call. `finished`: all rows of the upload are the graph's.
 * `gone`: there is no such graph. `not begun`: the caller has no upload under way: another's has
 * taken its place, or it was silent for so long that it was swept. `unfit`: the rows are no database,
 * and the graph is as it was.
 */
export type UploadOutcome = "staged" | "finished" | "gone" | "not begun" | "unfit";

/**
 * Takes the rows of one call; of rows with one addr the last counts. The last call sets t to 0,
 * empties the log, and makes the graph ready for use, all in one commit.
 *
 * A call may be sent again, and calls of one upload may come side by side. What can't be told is
 * which of two uploads of one user a call belongs to: a mixture is found unfit at its end.
 *
 * Cost: a commit for each 800 KB, and one; the last call reads all rows (faultOfRows).
 *
 * @throws {Error} the store took no commit
 */
export async function upload(
  deps: ImportDeps,
  graph: GraphId,
  call: UploadCall,
): Promise<UploadOutcome> {
  const outcome = await take(deps, graph, call);
  const wasDone = outcome === "not begun" && call.finished &&
    await hasRows(deps.kv, graph, call.rows);
  return wasDone ? "finished" : outcome;
}

/**
 * Whether a call was the last one, and is sent again as its answer was lost: the graph has its rows, and
 * nobody has written to it since.
 */
async function hasRows(kv: Deno.Kv, graph: GraphId, call: ImportedRows): Promise<boolean> {
  const head = await readHead(kv, graph);
  const rows = call.values();
  if (head?.t !== T_ZERO || rows.length === 0) return false;
  const { added, changed } = await compareRows(kv, graph, head.rows, rows);
  return added.length === 0 && changed.length === 0;
}

async function take(deps: ImportDeps, graph: GraphId, call: UploadCall): Promise<UploadOutcome> {
  const begun = call.reset ? await begin(deps, graph, call.by) : await goOn(deps, graph, call.by);
  if (typeof begun === "string") return begun;
  const held = await stage(deps, begun, call.rows);
  if (held === undefined) return "not begun";
  return call.finished ? await finish(deps, held) : "staged";
}

async function begin(
  { kv, now }: ImportDeps,
  graph: GraphId,
  by: UserId,
): Promise<Upload | UploadOutcome> {
  const replaced = await readUploadRows(kv, graph);
  let log: Generation | undefined;
  const begun = await untilSettled<Upload | UploadOutcome>(`begin to upload ${graph}`, async () => {
    const head = await readHead(kv, graph);
    if (head === undefined) return { done: "gone" };
    log ??= head.log;
    // Another has emptied the graph since, maybe by this very call, which a proxy sent elsewhere, too.
    if (head.log !== log) return { done: "not begun" };
    const opened = await openUpload(kv, head, by, now());
    return opened.kind === "held" ? { done: opened.upload } : { again: opened };
  });
  const isBegun = typeof begun !== "string";
  if (isBegun && replaced !== undefined) await trySweep(kv, graph, replaced);
  return begun;
}

async function goOn(
  { kv, now }: ImportDeps,
  graph: GraphId,
  by: UserId,
): Promise<Upload | "not begun"> {
  return await untilSettled<Upload | "not begun">(`go on to upload ${graph}`, async () => {
    const found = await holdUpload(kv, graph, now());
    if (found.kind === "none") return { done: "not begun" };
    if (found.kind !== "held") return { again: found };
    return { done: found.upload.by === by ? found.upload : "not begun" };
  });
}

/** @returns the upload, held; `undefined`: another has taken its place */
async function stage(
  deps: ImportDeps,
  begun: Upload,
  rows: ImportedRows,
): Promise<Upload | undefined> {
  const { graph } = begun;
  const sets = function* (): Generator<KvSet> {
    // Parts of a longer row that was staged before are left over: no reader takes them for its own.
    for (const row of rows.values()) yield* importedRowSets(graph, begun.rows, row);
  };
  return await whileHeld<Upload>(deps, begun, `stage rows for ${graph}`, async (held) => {
    const outcome = await writeInCommits(deps.kv, sets(), held.guards);
    return attempted(outcome, held);
  });
}

async function finish(deps: ImportDeps, begun: Upload): Promise<UploadOutcome> {
  const { graph, rows } = begun;
  const tried: Tried = {};
  const what = `make the rows of an upload those of ${graph}`;
  const done = await whileHeld<UploadOutcome>(deps, begun, what, async (held) => {
    const fault = await faultOfRows({ kv: deps.kv, graph, rows });
    if (fault !== undefined) {
      // Another's upload that took its place has rows of it swept.
      if (!await isHeld(deps.kv, held)) return { again: { kind: "conflict" } };
      log.info("Rows uploaded into {graph} are no database: {fault}", { graph, fault });
      return { done: "unfit" };
    }
    return await untilSettled(what, () => switchTo(deps, held, tried));
  });
  if (done !== undefined) return done;
  // A switch whose outcome was unknown was not made if the log is the one of before: a sweep took the
  // rows. Else others may have replaced them since.
  const wasMade = tried.log !== undefined && (await readHead(deps.kv, graph))?.log !== tried.log;
  return wasMade ? "finished" : "not begun";
}

/** The log before the first switch whose outcome was unknown. */
interface Tried {
  log?: Generation;
}

/**
 * @param tried remembers a commit whose outcome was unknown
 * @returns `again`: the switch alone is to be tried again; `done` with `again`: with a new hold, and a new
 * look at the rows
 */
async function switchTo(
  { kv, now, ended }: ImportDeps,
  held: Upload,
  tried: Tried,
): Promise<Attempt<Attempt<UploadOutcome>>> {
  const { graph, rows } = held;
  const head = await readHead(kv, graph);
  const ready = await readyChange(kv, graph);
  if (head === undefined || ready === undefined) return { done: { done: "gone" } };
  // An outcome that was unknown has turned out well.
  if (head.rows === rows) {
    ended?.(graph, "reset");
    return { done: { done: "finished" } };
  }
  const left = generationsOf(head);
  const outcome = await commitHead(kv, head, {
    ...begun(rows),
    updatedAt: now(),
    checksum: "unknown",
  }, {
    sets: [...markGarbage(graph, left, now()), ...ready.sets],
    deletes: [...held.keys, ...ready.deletes],
    checks: [...held.guards, ...ready.checks],
  });
  switch (outcome.kind) {
    case "committed":
      ended?.(graph, "reset");
      for (const generation of left) await trySweep(kv, graph, generation);
      return { done: { done: "finished" } };
    case "conflict":
      // With a batch, or with this very switch (commit.ts), which the next attempt finds done.
      if (await isHeld(kv, held) || (await readHead(kv, graph))?.rows === rows) {
        return { again: outcome };
      }
      // With whoever has taken hold: what was looked at may be other rows by now.
      return { done: { again: outcome } };
    case "unknown":
      tried.log ??= head.log;
      return { again: outcome };
    default:
      return outcome satisfies never;
  }
}

/**
 * Attempts work on an upload that is held. Where an attempt is to be made again, hold is taken again
 * first, since somebody else's may be what was in its way.
 *
 * @returns `undefined`: another upload has taken its place
 */
async function whileHeld<Answer>(
  { kv, now }: ImportDeps,
  upload: Upload,
  what: string,
  work: (held: Upload) => Promise<Attempt<Answer>>,
): Promise<Answer | undefined> {
  let held: Upload | undefined = upload;
  return await untilSettled<Answer | undefined>(what, async () => {
    if (held === undefined) {
      const found = await holdUpload(kv, upload.graph, now());
      if (found.kind === "none") return { done: undefined };
      if (found.kind !== "held") return { again: found };
      if (found.upload.rows !== upload.rows) return { done: undefined };
      held = found.upload;
    }
    const result = await work(held);
    if ("again" in result) held = undefined;
    return result;
  });
}
