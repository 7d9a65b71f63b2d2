/**
 * How many bytes that a user has sent are in this process's memory at once: bodies until their answer,
 * frames until they are dealt with. Else twenty bodies that stop just before their end hold two
 * gigabytes.
 */
import type { UserId } from "../protocol/ids.ts";

export class Shares {
  readonly #bytesPerUser: number;
  readonly #held = new Map<UserId, number>();

  constructor(bytesPerUser: number) {
    this.#bytesPerUser = bytesPerUser;
  }

  /** Takes so many bytes more of the user's share; `false`, and none, where there are fewer left. */
  hold(user: UserId, bytes: number): boolean {
    const held = (this.#held.get(user) ?? 0) + bytes;
    if (held > this.#bytesPerUser) return false;
    if (held > 0) this.#held.set(user, held);
    return true;
  }

  /** Gives back as many, of those that were taken. */
  release(user: UserId, bytes: number): void {
    const left = (this.#held.get(user) ?? 0) - bytes;
    if (left > 0) this.#held.set(user, left);
    else this.#held.delete(user);
  }
}
