/** What a process has to know of its own end: signals, errors that nobody caught. */
import { loggerFor } from "./telemetry/log.ts";

const log = loggerFor("main");

/** The first signal to leave; from then on a further one ends the process at once. */
export function untilSignal(): Promise<Deno.Signal> {
  return new Promise((resolve) => {
    let leaving = false;
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      Deno.addSignalListener(signal, () => {
        if (leaving) Deno.exit(1);
        leaving = true;
        resolve(signal);
      });
    }
  });
}

/** The last net: an error that nobody caught is logged, and ends no other client's work. */
export function keepAlive(): void {
  globalThis.addEventListener("error", (event) => {
    event.preventDefault();
    log.error("Cannot tell who threw this", { cause: event.error });
  });
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    log.error("Cannot tell whose promise this was", { cause: event.reason });
  });
}

/**
 * Does the work now, and again each time so many ms after it has ended, for as long as the process
 * lives. A failure is logged, and the work done again in its turn.
 *
 * @param what ends the sentence "Cannot …"
 */
export async function repeat(
  what: string,
  ms: number,
  work: () => Promise<unknown>,
): Promise<never> {
  for (;;) {
    await work().catch((cause) => log.error("Cannot {what}", { what, cause }));
    await new Promise((resolve) => setTimeout(resolve, ms));
  }
}
