/** Waiting for an event, but not for ever: in place of every sleep. */

/** How long a test waits for something that should happen at once. */
export const DEADLINE_MS = 10_000;

/** The same for a program, which has to start or end: many of them do, on a machine that is busy. */
export const PROGRAM_DEADLINE_MS = 60_000;

/**
 * @param what ends the sentence "Waited … for …"
 * @throws {Error} the promise has not settled in time
 */
export async function within<Value>(
  promise: Promise<Value>,
  what: string,
  deadlineMs: number = DEADLINE_MS,
): Promise<Value> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, fail) => {
    timer = setTimeout(() => fail(new Error(`Waited ${deadlineMs} ms for ${what}`)), deadlineMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Settles once it is so; to be waited for `within` a time. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!await isSo()) await new Promise((resolve) => setTimeout(resolve, 1));
}
