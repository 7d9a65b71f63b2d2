import { setTimeout as setTimeoutPromise } from "node:timers/promises";

/** So long; an abort cuts it short. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  await setTimeoutPromise(ms, undefined, { signal }).catch(() => {});
}
