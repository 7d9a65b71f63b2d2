/** For what may never end: a store that is away may leave a read without any answer. */

/** Waits for a promise, but no longer than this. A rejection is the caller's. */
export async function settledWithin(ms: number, promise: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => timer = setTimeout(resolve, ms));
  await Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
