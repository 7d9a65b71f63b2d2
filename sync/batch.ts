/**
 * `tx/batch`: the story of a batch, the checks in the order of protocol.md §1. Nothing is stored
 * before the commit, nothing is answered before it returns.
 */
import { TransactError } from "../datascript/errors.ts";
import { type Form, parseForms } from "../datascript/forms.ts";
import { missingNodes } from "../datascript/prefetch.ts";
import { encodeTailTx } from "../datascript/root.ts";
import { decode, encode, TransitError } from "../datascript/transit.ts";
import { withBatch } from "../kv/activity.ts";
import { CommitTooLargeError, writeInCommits } from "../kv/commit.ts";
import { commitHead, type Head, headGuard, type HeadOutcome, readHead } from "../kv/head.ts";
import { rowSets } from "../kv/rows.ts";
import { entryChange, readTail, spilledEntryChange } from "../kv/txlog.ts";
import { prepareBatch, type Prepared } from "../logseq/prepare.ts";
import { type GraphId, nextT } from "../protocol/ids.ts";
import { isShallowTransit } from "../protocol/json.ts";
import { reject, type TxReject } from "../protocol/reject.ts";
import type { TxBatchOk } from "../protocol/server_message.ts";
import type { TxBatch } from "../protocol/tx_batch.ts";
import type { Logger } from "../telemetry/log.ts";
import { Databases, type OpenDb } from "./database.ts";
import type { Fanout } from "./fanout.ts";
import type { Flusher } from "./flush.ts";
import { Turns } from "./turns.ts";

export interface BatchDeps {
  readonly kv: Deno.Kv;
  readonly databases: Databases;
  readonly turns: Turns;
  readonly fanout: Pick<Fanout, "moved">;
  readonly flusher: Pick<Flusher, "changed">;
  readonly log: Logger;
  /** Ms since the epoch. */
  readonly now: () => number;
}

/** The store took no commit, or its answers were lost: what became of the batch can't be told. */
export class UnsettledError extends Error {
  override readonly name: string = "UnsettledError";
}

/**
 * How often a commit is tried, as the same writer, that conflicts with a flush or whose outcome is
 * unknown. So often it is a database that takes no commits.
 */
const ATTEMPTS = 10;

/**
 * Stores a batch and tells the graph's other sockets, or refuses it; `undefined` where there is no
 * such graph.
 *
 * Cost: against another version than the current one a read of the head; else that, the nodes that
 * are not in memory, and one commit.
 *
 * @param sender is not told
 * @throws {UnsettledError | RowMissingError | CorruptLogError} a fault of ours or the store's
 */
export async function txBatch(
  deps: BatchDeps,
  graph: GraphId,
  batch: TxBatch,
  sender?: object,
): Promise<TxBatchOk | TxReject | undefined> {
  return await deps.turns.take(graph, () => storeBatch(deps, graph, batch, sender));
}

async function storeBatch(
  deps: BatchDeps,
  graph: GraphId,
  batch: TxBatch,
  sender: object | undefined,
): Promise<TxBatchOk | TxReject | undefined> {
  const writer = crypto.randomUUID();
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const head = await readHead(deps.kv, graph);
    if (head === undefined) return undefined;
    // Not only after an unknown outcome: a conflict may be with this very batch (commit.ts).
    if (attempt > 0 && await wrote(deps.kv, head, batch, writer)) {
      return accepted(deps, graph, batch, sender);
    }
    if (batch.t_before !== head.t) return refused(deps, graph, reject.stale(head.t), "stale");

    const forms = parseBatch(batch.txs);
    if (forms === undefined) {
      return refused(deps, graph, reject.invalidTx(), "not transaction data");
    }
    if (forms.length === 0) return refused(deps, graph, reject.emptyTxData(), "no forms");

    const open = await deps.databases.open(head);
    const prepared = await prepare(deps, open, forms);
    if (prepared instanceof TransactError) {
      return refused(deps, graph, reject.invalidTx(), `${prepared.code}: ${prepared.message}`);
    }
    if (!prepared.ok) return refused(deps, graph, reject.cycle(encode(prepared.cycle)), "cycle");

    const outcome = await commitBatch(deps, open, prepared, writer);
    switch (outcome.kind) {
      case "committed":
        if (open.founding.length === 0) {
          deps.databases.keep({ ...open, head: outcome.head, db: prepared.report.after });
        }
        deps.flusher.changed(graph, prepared.report.after.overlaySize);
        return accepted(deps, graph, batch, sender);
      case "conflict":
        continue; // Another's batch came first: stale next time round. Or the rows were replaced.
      case "unknown":
        deps.log.warn("Cannot tell whether {graph} moved to t {t}, so the log is asked", {
          graph,
          t: nextT(head.t),
          cause: outcome.cause,
        });
    }
  }
  throw new UnsettledError(`Cannot settle a batch of ${graph} on t ${batch.t_before}`);
}

/** All forms of the batch, or `undefined` where a string is not Transit of forms, or too deep. */
function parseBatch(txs: readonly string[]): readonly Form[] | undefined {
  if (!txs.every(isShallowTransit)) return undefined;
  try {
    return txs.flatMap((tx) => parseForms(decode(tx)));
  } catch (thrown) {
    if (thrown instanceof TransitError || thrown instanceof TransactError) return undefined;
    throw thrown;
  }
}

async function prepare(
  { databases }: BatchDeps,
  open: OpenDb,
  forms: readonly Form[],
): Promise<Prepared | TransactError> {
  try {
    await databases.prefetch(open, () => missingNodes(open.db, forms));
    return await databases.run(open, () => prepareBatch(open.db, forms));
  } catch (thrown) {
    if (thrown instanceof TransactError) return thrown;
    throw thrown;
  }
}

/**
 * Log entry, datoms for the tail, and head, in one commit that the head guards. Of an entry that no
 * commit holds the parts are written before, where nobody looks for them.
 */
async function commitBatch(
  { kv, now }: BatchDeps,
  { head, founding }: OpenDb,
  { entry, report }: Extract<Prepared, { readonly ok: true }>,
  writer: string,
): Promise<HeadOutcome> {
  const { graph, log, rows } = head;
  const t = nextT(head.t);
  const updatedAt = now();
  const next = { ...head, t, updatedAt, activity: withBatch(head.activity, updatedAt) };
  const stored = { t, tx: encode(entry), tail: encodeTailTx(report.datoms), writer };
  const rowsToo = founding.flatMap((row) => rowSets(graph, rows, row));
  try {
    const sets = [...entryChange(graph, log, stored), ...rowsToo];
    return await commitHead(kv, head, next, { sets, deletes: [] });
  } catch (thrown) {
    if (!(thrown instanceof CommitTooLargeError)) throw thrown;
    const { parts, sets } = spilledEntryChange(graph, log, stored);
    const written = await writeInCommits(kv, parts, [headGuard(head)]);
    if (written.kind !== "committed") return written;
    return await commitHead(kv, head, next, { sets: [...sets, ...rowsToo], deletes: [] });
  }
}

/** Whether the entry that follows the batch's t_before is this writer's. */
async function wrote(
  kv: Deno.Kv,
  { graph, log, t }: Head,
  { t_before }: TxBatch,
  writer: string,
): Promise<boolean> {
  const mine = nextT(t_before);
  if (t < mine) return false;
  for await (const entry of readTail(kv, graph, log, t_before, mine)) {
    return entry.writer === writer;
  }
  return false;
}

function accepted(
  { fanout }: BatchDeps,
  graph: GraphId,
  { t_before }: TxBatch,
  sender: object | undefined,
): TxBatchOk {
  const t = nextT(t_before);
  fanout.moved(graph, t, sender);
  return { type: "tx/batch/ok", t };
}

function refused({ log }: BatchDeps, graph: GraphId, answer: TxReject, why: string): TxReject {
  log.debug("Refused a batch of {graph} as {reason}: {why}", {
    graph,
    reason: answer.reason,
    why,
  });
  return answer;
}
