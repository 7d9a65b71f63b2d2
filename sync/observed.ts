/**
 * The operations on a graph as someone who watches sees them: each batch is a line in the log, a
 * span, and a count. What they do is left to them.
 */
import type { RejectReason } from "../protocol/reject.ts";
import type { TxBatch } from "../protocol/tx_batch.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Meter } from "../telemetry/metrics.ts";
import { traced } from "../telemetry/trace.ts";
import type { SyncOperations } from "./connection.ts";
import type { Fanout } from "./fanout.ts";

export interface Watch {
  readonly meter: Meter;
  readonly log: Logger;
  /** Milliseconds from any start. */
  readonly clock: () => number;
}

type BatchAnswer = Awaited<ReturnType<SyncOperations["txBatch"]>>;

/** `gone`: there is no such graph. */
type BatchOutcome = "ok" | "gone" | RejectReason;

/** The same operations, watched. */
export function observedOperations(operations: SyncOperations, watch: Watch): SyncOperations {
  const { meter, log, clock } = watch;
  return {
    version: operations.version,
    pull: (graph, since) => {
      meter.pull();
      return operations.pull(graph, since);
    },
    txBatch: async (graph, batch, sender) => {
      const start = clock();
      try {
        const answer = await traced(
          "tx/batch",
          () => operations.txBatch(graph, batch, sender),
          (answer) => ({ graph, t: versionOf(answer, batch), outcome: outcomeOf(answer) }),
        );
        const ms = clock() - start;
        meter.batch(outcomeOf(answer), ms / 1000);
        log.debug("A batch of {txs} txs leaves {graph} at t {t}: {outcome} in {ms} ms", {
          graph,
          t: versionOf(answer, batch),
          txs: batch.txs.length,
          outcome: outcomeOf(answer),
          ms: Math.round(ms),
        });
        return answer;
      } catch (thrown) {
        meter.batch("failed", (clock() - start) / 1000);
        throw thrown;
      }
    },
    edit: operations.edit,
  };
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
function versionOf(answer: BatchAnswer, { t_before }: TxBatch): number {
  return answer !== undefined && "t" in answer ? answer.t : t_before;
}
