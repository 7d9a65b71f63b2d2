/**
 * `tx/batch` in today's dialect: a batch of entries, each a transaction by itself (upstream.md §1.9).
 * Up to the first that fails all are stored, in one commit (of more than MAX_VERSIONS entries in
 * several); nothing of an entry is stored without the rest of it. Checks come in this order: stale,
 * empty, then entry by entry.
 */
import type { Form } from "../datascript/forms.ts";
import { missingNodes } from "../datascript/prefetch.ts";
import { Repeats } from "../datascript/transit.ts";
import { type Head, knownChecksum } from "../kv/head.ts";
import { type PreparedEntry, prepareEntry } from "../logseq/entries.ts";
import { SOUGHT } from "../logseq/order.ts";
import type { Checksum, GraphId, SentId, T, TxId } from "../protocol/ids.ts";
import {
  type EntriesAnswer,
  entriesOk,
  entriesReject,
  type FailedEntry,
  reachedAt,
} from "../protocol/today/server_message.ts";
import type { EntriesBatch, TxEntry } from "../protocol/today/tx_batch.ts";
import { type AcceptedIds, sentIdOf } from "./accepted.ts";
import type { BatchDeps } from "./batch.ts";
import { checksumAfter } from "./checksum.ts";
import type { OpenDb } from "./database.ts";
import { parseTx } from "./parse_tx.ts";
import { MAX_VERSIONS, type Plan, storePlanned, type Version } from "./store.ts";

export interface EntriesDeps extends BatchDeps {
  readonly accepted: AcceptedIds;
}

/**
 * Stores a batch of entries and tells the graph's other sockets, or refuses it; `undefined` where
 * there is no such graph. An entry whose id was accepted before is not applied again: a client that
 * lost the answer sends the same once more.
 *
 * Cost: as txBatch, and a read of the ids that came since the last batch. The first batch of a graph
 * whose checksum isn't known reads all of it.
 *
 * @param sender is not told
 * @throws {UnsettledError | RowMissingError | CorruptLogError} a fault of ours or the store's
 */
export async function txEntries(
  deps: EntriesDeps,
  graph: GraphId,
  batch: EntriesBatch,
  sender?: object,
): Promise<EntriesAnswer | undefined> {
  const arrival = deps.databases.lastCommit(graph);
  return await deps.turns.take(graph, () => storeEntries(deps, graph, batch, arrival, sender));
}

/** How far a batch has come. */
interface Progress {
  readonly t: T;
  readonly checksum: Checksum | undefined;
  /** Ids of the entries that are accepted. */
  readonly success: readonly TxId[];
  readonly failed: FailedEntry | undefined;
}

/** Answered without a look at any entry, or as far as it has come. */
type Step = { readonly answered: EntriesAnswer } | Progress;

async function storeEntries(
  deps: EntriesDeps,
  graph: GraphId,
  batch: EntriesBatch,
  arrival: Head | undefined,
  sender: object | undefined,
): Promise<EntriesAnswer | undefined> {
  let progress: Progress = {
    t: batch.tBefore,
    checksum: undefined,
    success: [],
    failed: undefined,
  };
  let start = 0;
  do {
    const entries = batch.entries.slice(start, start + MAX_VERSIONS);
    const before = progress;
    const plan = (head: Head): Promise<Plan<Step>> =>
      head.t === before.t
        ? planEntries(deps, head, entries, before)
        : notOnTop(deps, head, batch, before);
    const step: Step | undefined = await storePlanned(
      deps,
      graph,
      before.t,
      plan,
      arrival,
      sender,
    );
    if (step === undefined) return undefined;
    if ("answered" in step) return step.answered;
    progress = step;
    start += MAX_VERSIONS;
  } while (start < batch.entries.length && progress.failed === undefined);

  const { t, checksum, success, failed } = progress;
  const reached = reachedAt(t, checksum);
  return failed === undefined ? entriesOk(reached) : entriesReject.failed(reached, success, failed);
}

/**
 * A batch that is on top of another version is stale; but not one whose entries were accepted with
 * the very next versions, as then it only has to be told again.
 */
async function notOnTop(
  deps: EntriesDeps,
  head: Head,
  batch: EntriesBatch,
  before: Progress,
): Promise<Plan<Step>> {
  // Else some of its entries are stored already, by this call.
  const isUntouched = before.t === batch.tBefore;
  const t = isUntouched ? reachedBefore(await deps.accepted.at(head), batch) : undefined;
  if (t !== undefined) {
    const checksum = t === head.t ? knownChecksum(head) : undefined;
    return { answer: { answered: entriesOk(reachedAt(t, checksum)) } };
  }
  deps.log.debug("Refused a batch of {graph} at t {t} as stale", { graph: head.graph, t: head.t });
  return { answer: { answered: entriesReject.stale(head.t) } };
}

/** The version that the batch reached when it was sent before, if it was, and whole. */
function reachedBefore(
  known: ReadonlyMap<SentId, T>,
  { tBefore, entries }: EntriesBatch,
): T | undefined {
  let reached = tBefore;
  for (const { txId, tx } of entries) {
    const t = txId === undefined ? undefined : known.get(sentIdOf(txId, tx));
    // Those that changed nothing were accepted with the version before or after them.
    if (t === undefined || t <= tBefore || t > reached + 1) return undefined;
    if (t > reached) reached = t;
  }
  return reached === tBefore ? undefined : reached;
}

async function planEntries(
  deps: EntriesDeps,
  head: Head,
  entries: readonly TxEntry[],
  before: Progress,
): Promise<Plan<Step>> {
  if (entries.length === 0) return { answer: { answered: entriesReject.emptyTxData() } };
  const known = await deps.accepted.at(head);
  const open = await deps.databases.open(head);
  const { made, success, failed } = await applied(deps, open, entries, known);
  const step = (t: T, checksum: Checksum | undefined): Step => ({
    t,
    checksum,
    success: [...before.success, ...success],
    failed,
  });
  const [first, ...more] = made;
  if (first === undefined) return { answer: step(head.t, knownChecksum(head)) };

  const reports = [first.report, ...more.map(({ report }) => report)] as const;
  const checksum = await checksumAfter(deps.databases, open, knownChecksum(head), reports);
  return {
    store: { open, made: [first, ...more], checksum },
    answer: (t) => {
      deps.accepted.add(head, made);
      return step(t, checksum);
    },
  };
}

/** Entries one on top of the other, up to the first that fails. */
async function applied(
  deps: EntriesDeps,
  open: OpenDb,
  entries: readonly TxEntry[],
  known: ReadonlyMap<SentId, T>,
): Promise<{
  readonly made: readonly Version[];
  readonly success: readonly TxId[];
  readonly failed: FailedEntry | undefined;
}> {
  const { graph, t } = open.head;
  const made: (Version & { readonly sent: SentId[] })[] = [];
  const success: TxId[] = [];
  const seen = new Set<SentId>();
  /** Of entries that changed nothing, before any that did. */
  const idle: SentId[] = [];
  const repeats = new Repeats();
  let { db } = open;
  for (const { tx, txId, outlinerOp } of entries) {
    const sent = txId === undefined ? [] : [sentIdOf(txId, tx)];
    if (txId !== undefined) success.push(txId);
    if (sent.some((id) => known.has(id) || seen.has(id))) continue;
    const prepared = await prepare(deps, { ...open, db }, parseTx(tx, repeats), outlinerOp);
    switch (prepared.kind) {
      case "changed": {
        const { report, entry } = prepared;
        made.push({ report, entry, sent: [...sent, ...idle.splice(0)], outlinerOp });
        db = report.after;
        break;
      }
      case "same":
        (made.at(-1)?.sent ?? idle).push(...sent);
        break;
      case "failed": {
        const { why, missing } = prepared;
        // Its client takes the user's edit back: whoever looks for it later should find this.
        deps.log.info("Refused entry {txId} ({outlinerOp}) of {graph} at t {t}: {why}", {
          graph,
          t,
          txId,
          outlinerOp,
          why,
        });
        if (txId !== undefined) success.pop();
        return { made, success, failed: { txId, missing } };
      }
      default:
        return prepared satisfies never;
    }
    for (const id of sent) seen.add(id);
  }
  return { made, success, failed: undefined };
}

async function prepare(
  { databases }: EntriesDeps,
  open: OpenDb,
  forms: readonly Form[] | undefined,
  op: string | undefined,
): Promise<PreparedEntry> {
  const { db } = open;
  if (forms === undefined) return { kind: "failed", why: "not transaction data", missing: [] };
  const ahead = (): ReadonlySet<number> => missingNodes(db, forms, SOUGHT);
  return await databases.run(open, () => prepareEntry(db, forms, op), ahead);
}
