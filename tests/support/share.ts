/** A share of memory without an end. */
export const UNSHARED = {
  hold: (): boolean => true,
  release: (): void => {},
} as const;
