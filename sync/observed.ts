/**
 * The operations on a graph as someone who watches sees them: each batch is a line in the log, a
 * span, and a count. What they do is left to them.
 */
import type { GraphId, T } from "../protocol/ids.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Meter } from "../telemetry/metrics.ts";
import { traced } from "../telemetry/trace.ts";
import type { SyncOperations } from "./connection.ts";
import type { Fanout } from "./fanout.ts";

/** Who watches, and by which clock. */
export interface Observer {
  readonly meter: Meter;
  readonly log: Logger;
  /** Milliseconds from any start. */
  readonly clock: () => number;
}

/** What a batch of either dialect was answered; `undefined`: there is no such graph. */
type BatchAnswer = Awaited<ReturnType<SyncOperations["txBatch" | "txEntries"]>>;

/** `gone`: there is no such graph. */
type BatchOutcome = "ok" | "gone" | Extract<BatchAnswer, { type: "tx/reject" }>["reason"];

/** The same operations, watched. */
export function observedOperations(operations: SyncOperations, observer: Observer): SyncOperations {
  return {
    version: operations.version,
    pull: (graph, since) => {
      observer.meter.pull();
      return operations.pull(graph, since);
    },
    txBatch: (graph, batch, sender) =>
      observedBatch(
        observer,
        { graph, base: batch.t_before, txs: batch.txs.length },
        () => operations.txBatch(graph, batch, sender),
      ),
    txEntries: (graph, batch, sender) =>
      observedBatch(
        observer,
        { graph, base: batch.tBefore, txs: batch.entries.length },
        () => operations.txEntries(graph, batch, sender),
      ),
    speaksToday: operations.speaksToday,
    edit: operations.edit,
  };
}

/** What there is to say of a batch beside its answer. */
interface SeenBatch {
  readonly graph: GraphId;
  readonly base: T;
  readonly txs: number;
}

async function observedBatch<Answer extends BatchAnswer>(
  { meter, log, clock }: Observer,
  { graph, base, txs }: SeenBatch,
  store: () => Promise<Answer>,
): Promise<Answer> {
  const start = clock();
  try {
    const answer = await traced(
      "tx/batch",
      store,
      (answer) => ({ graph, t: versionOf(answer, base), outcome: outcomeOf(answer) }),
    );
    const ms = clock() - start;
    const [t, outcome] = [versionOf(answer, base), outcomeOf(answer)];
    meter.batch(outcome, ms / 1000);
    log.debug("A batch of {txs} txs leaves {graph} at t {t}: {outcome} in {ms} ms", {
      graph,
      t,
      txs,
      outcome,
      ms: Math.round(ms),
    });
    return answer;
  } catch (thrown) {
    meter.batch("failed", (clock() - start) / 1000);
    throw thrown;
  }
}

/** The same news, counted. */
export function observedFanout(fanout: Fanout, meter: Meter): Fanout {
  return {
    moved: (graph, t, sender) => {
      meter.notice("moved");
      fanout.moved(graph, t, sender);
    },
    ended: (graph, end) => {
      meter.notice(end);
      fanout.ended(graph, end);
    },
    people: (graph, version) => {
      meter.notice("people");
      fanout.people(graph, version);
    },
    onPeople: (listener) => fanout.onPeople(listener),
    close: () => fanout.close(),
  };
}

function outcomeOf(answer: BatchAnswer): BatchOutcome {
  if (answer === undefined) return "gone";
  return answer.type === "tx/batch/ok" ? "ok" : answer.reason;
}

/** Where the graph is after this answer: who isn't stale was at its version. */
function versionOf(answer: BatchAnswer, base: T): T {
  return answer !== undefined && "t" in answer ? answer.t : base;
}
