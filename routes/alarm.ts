/** A call at a time, however far off. */

/**
 * The clock is looked at this often: it may be set meanwhile, or go on while the machine sleeps, and timers
 * don't. They couldn't be longer than 2^31 ms either.
 */
const LONGEST_TIMER_MS = 60 * 1000;

/**
 * Calls once at this time, or at once if it has passed, but never before this returns.
 *
 * @param at ms since the epoch
 * @returns calls the alarm off; also after it went off
 */
export function setAlarm(at: number, call: () => void): () => void {
  let timer: ReturnType<typeof setTimeout>;
  const wait = (): void => {
    const ms = Math.min(Math.max(0, at - Date.now()), LONGEST_TIMER_MS);
    timer = setTimeout(() => Date.now() >= at ? call() : wait(), ms);
  };
  wait();
  return () => clearTimeout(timer);
}
