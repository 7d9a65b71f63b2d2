/**
 * Changes that go into the store together. SQLite has one writer, and syncs its file for each commit:
 * so the next commit takes as many as fit of the changes that came while the last was under way.
 */
import { type Change, type Outcome, Tally } from "./change.ts";
import { MAX_COMMIT_BYTES, MAX_MUTATIONS } from "./limits.ts";

interface Waiting {
  readonly change: Change;
  readonly deadline: number;
  readonly outcome: PromiseWithResolvers<Outcome>;
}

/** Commits a change at once; see commit.ts. */
type Commit = (change: Change, deadline: number) => Promise<Outcome>;

export class Gathering {
  readonly #commit: Commit;
  readonly #waiting: Waiting[] = [];
  #underWay = false;

  constructor(commit: Commit) {
    this.#commit = commit;
  }

  /**
   * The same as committing it alone: nobody sees that others go with it, but that their
   * versionstamps are one. What fills a commit by itself waits for nobody.
   *
   * @param change fits
   */
  async commit(change: Change, deadline: number): Promise<Outcome> {
    if (isLarge(change)) return await this.#commit(change, deadline);
    const outcome = Promise.withResolvers<Outcome>();
    this.#waiting.push({ change, deadline, outcome });
    if (!this.#underWay) void this.#commitAll();
    return await outcome.promise;
  }

  async #commitAll(): Promise<void> {
    this.#underWay = true;
    while (this.#waiting.length > 0) await this.#commitSome(this.#together());
    this.#underWay = false;
  }

  /** Takes from those that wait the first ones, as many as can be one change. */
  #together(): readonly Waiting[] {
    const [first, ...others] = this.#waiting;
    if (first === undefined || others.length === 0) return this.#waiting.splice(0);
    const tally = new Tally();
    tally.addAll(first.change);
    const keys = new Set(keysOf(first.change));
    let count = 1;
    for (const { change } of others) {
      const own = keysOf(change);
      // Of two that check and set the same key both would succeed.
      if (own.some((key) => keys.has(key)) || !tally.addAll(change)) break;
      for (const key of own) keys.add(key);
      count++;
    }
    return this.#waiting.splice(0, count);
  }

  async #commitSome(some: readonly Waiting[]): Promise<void> {
    const alone = async ({ change, deadline, outcome }: Waiting): Promise<void> => {
      try {
        outcome.resolve(await this.#commit(change, deadline));
      } catch (thrown) {
        outcome.reject(thrown);
      }
    };
    if (some.length > 1) {
      const outcome = await this.#commitAsOne(some);
      // If only reading tells for one, it does for all.
      if (outcome?.kind === "committed" || outcome?.kind === "unknown") {
        for (const each of some) each.outcome.resolve(outcome);
        return;
      }
    }
    // What keeps one from being made is none of the others' business.
    await Promise.all(some.map(alone));
  }

  /** `undefined` where the store refuses it as a whole. */
  async #commitAsOne(some: readonly Waiting[]): Promise<Outcome | undefined> {
    const all: Change = {
      sets: some.flatMap(({ change }) => change.sets ?? []),
      deletes: some.flatMap(({ change }) => change.deletes ?? []),
      checks: some.flatMap(({ change }) => change.checks ?? []),
    };
    try {
      return await this.#commit(all, Math.min(...some.map(({ deadline }) => deadline)));
    } catch {
      return undefined;
    }
  }
}

/** Another one like it would not fit beside it. */
function isLarge({ sets = [], deletes = [] }: Change): boolean {
  return sets.length + deletes.length > MAX_MUTATIONS / 2 ||
    sets.reduce((bytes, { size }) => bytes + size, 0) > MAX_COMMIT_BYTES / 2;
}

/** As texts, of all that it reads or writes: those of one key are the same, of two mostly not. */
function keysOf({ sets = [], deletes = [], checks = [] }: Change): readonly string[] {
  return [...sets.map(({ key }) => key), ...deletes, ...checks.map(({ key }) => key)]
    .map((key) => key.join("\0"));
}
