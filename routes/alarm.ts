/** A call at a time, however far off. */

/** A longer timer would go off at once: its milliseconds are a signed 32-bit integer. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * Calls once at this time, or at once if it has passed, but never before this returns.
 *
 * @param at ms since the epoch
 * @param clock the same now
 * @returns calls the alarm off; also after it went off
 */
export function setAlarm(
  at: number,
  call: () => void,
  clock: () => number = Date.now,
): () => void {
  let timer: ReturnType<typeof setTimeout>;
  const wait = (): void => {
    const ms = Math.min(Math.max(0, at - clock()), LONGEST_TIMER_MS);
    timer = setTimeout(() => clock() >= at ? call() : wait(), ms);
  };
  wait();
  return () => clearTimeout(timer);
}
