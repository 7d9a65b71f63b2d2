/**
 * Frames of a user who sends more than he may are dealt with later, never refused: a client that is
 * told of an error stops syncing, and one that is rejected throws edits away. What then waits is
 * bounded by the connection's own limits.
 */
import type { SyncOperations } from "../sync/connection.ts";

/** The same operations, each after its turn has come. */
export function paced(operations: SyncOperations, turn: () => Promise<void>): SyncOperations {
  const after = <Args extends unknown[], Answer>(
    operation: (...args: Args) => Answer | Promise<Answer>,
  ): (...args: Args) => Promise<Answer> =>
  async (...args) => {
    await turn();
    return await operation(...args);
  };
  return {
    version: after(operations.version),
    pull: after(operations.pull),
    txBatch: after(operations.txBatch),
    edit: after(operations.edit),
  };
}
