/** What a connection may ask, for a test in which it asks nothing. */
import type { SyncOperations } from "../../sync/connection.ts";

const never = (): Promise<never> => Promise.reject(new Error("was asked"));

export const NOTHING_ASKED: SyncOperations = {
  version: never,
  pull: never,
  txBatch: never,
  txEntries: never,
  speaksToday: () => {},
  edit: never,
};
