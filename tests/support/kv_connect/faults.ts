/** What a test may let go wrong between a store and its clients. */
import { seededRandom } from "../seeded_random.ts";

/** What a client of the store can ask for. */
export type Operation = "snapshot_read" | "atomic_write" | "watch";

/**
 * - `refuse`: 503, and nothing is done.
 * - `delay`: done a little later.
 * - `lose`: done, and answered with 502, as by a gateway: Deno's client tries it again by itself.
 * - `cut`: done, and the answer breaks off in its body: Deno's client throws.
 */
export type Fault = "refuse" | "delay" | "lose" | "cut";

/** Decides for each request in its turn; `undefined`: nothing goes wrong. */
export type Faults = (operation: Operation) => Fault | undefined;

export const NO_FAULTS: Faults = (): undefined => undefined;

/** How many requests in 100 have each fault. */
export type FaultRates = Readonly<Partial<Record<Fault, number>>>;

/** Faults at these rates, the same ones in the same order for a seed. */
export function seededFaults(
  seed: number,
  rates: Readonly<Partial<Record<Operation, FaultRates>>>,
): Faults {
  const below = seededRandom(seed);
  return (operation) => {
    let drawn = below(100);
    for (const fault of ["refuse", "delay", "lose", "cut"] as const) {
      drawn -= rates[operation]?.[fault] ?? 0;
      if (drawn < 0) return fault;
    }
    return undefined;
  };
}

/** One fault at the first request of a kind, and nothing after it. */
export function oneFault(operation: Operation, fault: Fault): Faults {
  let left = 1;
  return (asked) => asked === operation && left-- > 0 ? fault : undefined;
}
