/** How many of one kind of work of each user are under way at once, in this process. */
import { LRUCache } from "lru-cache";
import pLimit, { type LimitFunction } from "p-limit";
import type { UserId } from "../protocol/ids.ts";

/** Whoever was away for longest begins anew when he comes again. */
const MAX_USERS = 10_000;

export class AtOnce {
  readonly #perUser: number;
  readonly #limits = new LRUCache<UserId, LimitFunction>({ max: MAX_USERS });

  constructor(perUser: number) {
    this.#perUser = perUser;
  }

  /** Does the work when its turn has come: whoever asks first has it first. */
  async run<Result>(user: UserId, work: () => Promise<Result>): Promise<Result> {
    return await this.#limitOf(user)(work);
  }

  /** Takes a place when its turn has come. @returns gives it back; to do so twice is the same */
  async enter(user: UserId): Promise<() => void> {
    const { promise: left, resolve: leave } = Promise.withResolvers<void>();
    await new Promise<void>((entered) =>
      void this.run(user, () => {
        entered();
        return left;
      })
    );
    return leave;
  }

  #limitOf(user: UserId): LimitFunction {
    const known = this.#limits.get(user);
    if (known !== undefined) return known;
    const limit = pLimit(this.#perUser);
    this.#limits.set(user, limit);
    return limit;
  }
}
