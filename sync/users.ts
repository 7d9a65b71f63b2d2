/** Remembers users as their tokens describe them, so that others can invite them and see who they are. */
import { LRUCache } from "lru-cache";
import { type Profile, writeProfile } from "../kv/users.ts";
import type { UserId } from "../protocol/ids.ts";
import { untilSettled } from "./settle.ts";

/** So long a user who is written is not looked at again; then another process may have written. */
const KNOWN_MS = 60 * 60 * 1000;
const MAX_KNOWN = 10_000;

/** A user, and what his token says of him. */
export interface Person extends Profile {
  readonly id: UserId;
  /** See VerifiedUser (auth/user.ts). */
  readonly unverified?: true;
}

export class Users {
  readonly #kv: Deno.Kv;
  /** What was written of each last. */
  readonly #known: LRUCache<UserId, string>;

  /** @param now ms since the epoch */
  constructor(kv: Deno.Kv, now: () => number) {
    this.#kv = kv;
    this.#known = new LRUCache({ max: MAX_KNOWN, ttl: KNOWN_MS, ttlResolution: 0, perf: { now } });
  }

  /** Writes what is new of a user. Mostly nothing is, and nothing is read. */
  async seen({ id, unverified, ...profile }: Person): Promise<void> {
    const { email, username, name } = profile;
    const print = JSON.stringify([email, username, name, unverified]);
    if (this.#known.get(id) === print) return;
    await untilSettled("remember a user", async () => {
      const outcome = await writeProfile(this.#kv, id, profile, unverified);
      const settled = outcome === "known" || outcome.kind === "committed";
      return settled ? { done: undefined } : { again: outcome };
    });
    this.#known.set(id, print);
  }
}
