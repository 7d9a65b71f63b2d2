/** How often each user may do something: a bucket of tokens a user, in this process. */
import { TokenBucket } from "limiter";
import { LRUCache } from "lru-cache";
import type { UserId } from "../protocol/ids.ts";

/** A bucket holds what flows into it in so long: the start of a device is many requests at once. */
const BURST_SECONDS = 10;

/** Whoever was away for longest gets a full bucket when he comes again. */
const MAX_USERS = 10_000;

export class UserRates {
  readonly #perSecond: number;
  readonly #buckets = new LRUCache<UserId, TokenBucket>({ max: MAX_USERS });

  /** @param perSecond in the long run; ten times as many at once */
  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** Takes a token and answers 0, or takes none and answers in how many ms there will be one. */
  take(user: UserId): number {
    const bucket = this.#bucketOf(user);
    return bucket.tryRemoveTokens(1) ? 0 : Math.max(1, bucket.getWaitTime(1));
  }

  /** Takes a token as soon as there is one; whoever asks first has it first. */
  async wait(user: UserId): Promise<void> {
    const bucket = this.#bucketOf(user);
    await bucket.removeTokens(1);
  }

  #bucketOf(user: UserId): TokenBucket {
    const known = this.#buckets.get(user);
    if (known !== undefined) return known;
    const bucketSize = this.#perSecond * BURST_SECONDS;
    const bucket = new TokenBucket({
      bucketSize,
      tokensPerInterval: this.#perSecond,
      interval: "second",
    });
    bucket.content = bucketSize;
    this.#buckets.set(user, bucket);
    return bucket;
  }
}
