/** How many sockets each user has open, in this process, of how many allowed. */
import type { UserId } from "../protocol/ids.ts";

export class Seats {
  readonly #perUser: number;
  readonly #taken = new Map<UserId, number>();

  constructor(perUser: number) {
    this.#perUser = perUser;
  }

  /**
   * Takes a seat, if the user has one left.
   *
   * @returns gives the seat back; more than once is once
   */
  take(user: UserId): (() => void) | undefined {
    const taken = this.#taken.get(user) ?? 0;
    if (taken >= this.#perUser) return undefined;
    this.#taken.set(user, taken + 1);
    let free = false;
    return () => {
      if (free) return;
      free = true;
      const left = (this.#taken.get(user) ?? 0) - 1;
      if (left > 0) this.#taken.set(user, left);
      else this.#taken.delete(user);
    };
  }
}
