/** How many bytes of one kind each user has in this process's memory at once. */
import type { UserId } from "../protocol/ids.ts";

/** One user's. */
export interface Share {
  /** Takes so many bytes more; `false`, and none, where there are fewer left. */
  readonly hold: (bytes: number) => boolean;
  /** Gives back as many, of those that were taken. */
  readonly release: (bytes: number) => void;
}

export class Shares {
  readonly #bytesPerUser: number;
  readonly #oneOfAnySize: boolean;
  readonly #held = new Map<UserId, number>();

  /** @param oneOfAnySize whether whoever holds nothing gets what is longer than a share as well */
  constructor(bytesPerUser: number, oneOfAnySize = false) {
    this.#bytesPerUser = bytesPerUser;
    this.#oneOfAnySize = oneOfAnySize;
  }

  of(user: UserId): Share {
    return {
      hold: (bytes) => this.#hold(user, bytes),
      release: (bytes) => this.#release(user, bytes),
    };
  }

  #hold(user: UserId, bytes: number): boolean {
    const before = this.#held.get(user) ?? 0;
    const held = before + bytes;
    if (held > this.#bytesPerUser && !(this.#oneOfAnySize && before === 0)) return false;
    if (held > 0) this.#held.set(user, held);
    return true;
  }

  #release(user: UserId, bytes: number): void {
    const left = (this.#held.get(user) ?? 0) - bytes;
    if (left > 0) this.#held.set(user, left);
    else this.#held.delete(user);
  }
}
