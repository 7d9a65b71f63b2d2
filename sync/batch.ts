/**
 * `tx/batch` in the seed's dialect: the story of a batch, the checks in the order of protocol.md §1.
 * Nothing is stored before the commit, nothing is answered before it returns (store.ts).
 */
import { TransactError } from "../datascript/errors.ts";
import type { Form } from "../datascript/forms.ts";
import { missingNodes } from "../datascript/prefetch.ts";
import { encode, Repeats } from "../datascript/transit.ts";
import { type Head, knownChecksum } from "../kv/head.ts";
import { SOUGHT } from "../logseq/order.ts";
import { AMONG_THEMSELVES, BESIDE_TODAYS, preparation, type Prepared } from "../logseq/prepare.ts";
import type { GraphId } from "../protocol/ids.ts";
import { reject, type TxReject } from "../protocol/reject.ts";
import type { TxBatchOk } from "../protocol/server_message.ts";
import type { TxBatch } from "../protocol/tx_batch.ts";
import { checksumAfter } from "./checksum.ts";
import type { OpenDb } from "./database.ts";
import { parseTx } from "./parse_tx.ts";
import { type Plan, type StoreDeps, storePlanned } from "./store.ts";
import type { Turns } from "./turns.ts";

export interface BatchDeps extends StoreDeps {
  readonly turns: Turns;
}

/**
 * Stores a batch and tells the graph's other sockets, or refuses it; `undefined` where there is no
 * such graph.
 *
 * Cost: one commit, and the nodes that are not in memory; a read of the head before it if this
 * process last saw another version; for a refusal that read alone, and what it takes to tell.
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
  const plan = (head: Head): Promise<BatchPlan> => planBatch(deps, head, batch);
  const arrival = deps.databases.lastCommit(graph);
  return await deps.turns.take(
    graph,
    () => storePlanned(deps, graph, batch.t_before, plan, arrival, sender),
  );
}

type BatchPlan = Plan<TxBatchOk | TxReject>;

async function planBatch(deps: BatchDeps, head: Head, batch: TxBatch): Promise<BatchPlan> {
  if (batch.t_before !== head.t) return refused(deps, head, reject.stale(head.t), "stale");

  const forms = formsOf(batch.txs);
  if (forms === undefined) return refused(deps, head, reject.invalidTx(), "not transaction data");
  if (forms.length === 0) return refused(deps, head, reject.emptyTxData(), "no forms");

  const open = await deps.databases.open(head);
  const prepared = await prepare(deps, open, forms);
  if (prepared instanceof TransactError) {
    return refused(deps, head, reject.invalidTx(), `${prepared.code}: ${prepared.message}`);
  }
  if (!prepared.ok) return refused(deps, head, reject.cycle(encode(prepared.cycle)), "cycle");

  const known = knownChecksum(head);
  const checksum = known === undefined
    ? head.checksum
    : await checksumAfter(deps.databases, open, known, [prepared.report]);
  return {
    store: { open, made: [{ ...prepared, sent: [] }], checksum },
    answer: (t) => ({ type: "tx/batch/ok", t }),
  };
}

/** All forms of the batch; `undefined`: one of its texts has none. */
function formsOf(txs: readonly string[]): readonly Form[] | undefined {
  const forms: Form[] = [];
  const repeats = new Repeats();
  for (const tx of txs) {
    const some = parseTx(tx, repeats);
    if (some === undefined) return undefined;
    for (const form of some) forms.push(form);
  }
  return forms;
}

async function prepare(
  { databases }: BatchDeps,
  open: OpenDb,
  forms: readonly Form[],
): Promise<Prepared | TransactError> {
  try {
    // Where today's clients write there is a checksum from their first entry on.
    const practice = open.head.checksum === undefined ? AMONG_THEMSELVES : BESIDE_TODAYS;
    const ahead = (): ReadonlySet<number> => missingNodes(open.db, forms, SOUGHT);
    return await databases.run(open, preparation(open.db, forms, practice), ahead);
  } catch (thrown) {
    if (thrown instanceof TransactError) return thrown;
    throw thrown;
  }
}

function refused({ log }: BatchDeps, head: Head, answer: TxReject, why: string): BatchPlan {
  log.debug("Refused a batch of {graph} at t {t} as {reason}: {why}", {
    graph: head.graph,
    t: head.t,
    reason: answer.reason,
    why,
  });
  return { answer };
}
