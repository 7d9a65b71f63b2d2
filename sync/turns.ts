/** One at a time for each graph: writers that run into each other's commits only waste work. */
import type { GraphId } from "../protocol/ids.ts";

export class Turns {
  readonly #last = new Map<GraphId, Promise<unknown>>();

  /** Runs the work when all work that came before for this graph has ended, well or not. */
  async take<Result>(graph: GraphId, work: () => Promise<Result>): Promise<Result> {
    const before = this.#last.get(graph) ?? Promise.resolve();
    const mine = before.then(work, work);
    // Whoever waits for this turn waits for its end, and has no use for its error.
    const end = mine.then(() => {}, () => {});
    this.#last.set(graph, end);
    try {
      return await mine;
    } finally {
      if (this.#last.get(graph) === end) this.#last.delete(graph);
    }
  }
}
