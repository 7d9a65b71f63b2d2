/** One at a time for each graph, or user: writers that run into each other's commits only waste work. */
import type { GraphId, UserId } from "../protocol/ids.ts";

export class Turns<Key extends GraphId | UserId = GraphId> {
  readonly #last = new Map<Key, Promise<unknown>>();

  /** Runs the work when all work that came before for this key has ended, well or not. */
  async take<Result>(key: Key, work: () => Promise<Result>): Promise<Result> {
    const before = this.#last.get(key) ?? Promise.resolve();
    const mine = before.then(work);
    // Whoever waits for this turn waits for its end, and has no use for its error.
    const end = mine.then(() => {}, () => {});
    this.#last.set(key, end);
    try {
      return await mine;
    } finally {
      if (this.#last.get(key) === end) this.#last.delete(key);
    }
  }
}
