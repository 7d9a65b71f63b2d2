/** Chance that can be had again. */

/** Numbers with 0 ≤ n < below, the same ones for a seed. */
export function seededRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    // Mulberry32, a generator of 32 bits of state.
    state = state + 0x6d2b79f5 | 0;
    let mixed = Math.imul(state ^ state >>> 15, 1 | state);
    mixed = mixed + Math.imul(mixed ^ mixed >>> 7, 61 | mixed) ^ mixed;
    return Math.floor(((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32 * below);
  };
}
