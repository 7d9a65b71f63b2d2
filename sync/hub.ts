/** The sockets of each graph in this isolate. Knows who listens, not what there is to say. */
import type { GraphId, T } from "../protocol/ids.ts";

/** One who wants to hear of a graph: a connection (connection.ts). Neither method may throw. */
export interface Listener {
  /** The graph's version is `t` now. */
  changed(t: T): void;
  /** Ends the socket; code and reason as WebSocket has them. */
  close(code: number, reason: string): void;
}

/** Listeners by graph. A graph without any takes no memory. */
export class Hub {
  readonly #listeners = new Map<GraphId, Set<Listener>>();
  #waiting: (() => void)[] = [];

  /** Adding one twice is adding it once. */
  add(graph: GraphId, listener: Listener): void {
    const listeners = this.#listeners.get(graph);
    if (listeners === undefined) this.#listeners.set(graph, new Set([listener]));
    else listeners.add(listener);
  }

  /** Idempotent: a socket may report its end twice (platform.md §2). */
  delete(graph: GraphId, listener: Listener): void {
    const listeners = this.#listeners.get(graph);
    listeners?.delete(listener);
    if (listeners?.size === 0) this.#listeners.delete(graph);
    if (this.#listeners.size === 0) {
      for (const resolve of this.#waiting.splice(0)) resolve();
    }
  }

  /** Those of a graph now; they may come and go while the caller walks. */
  each(graph: GraphId): readonly Listener[] {
    return [...this.#listeners.get(graph) ?? []];
  }

  /** All graphs that someone listens to. */
  graphs(): readonly GraphId[] {
    return [...this.#listeners.keys()];
  }

  /** Closes the sockets of one graph. They leave the hub when they are gone. */
  closeAll(graph: GraphId, code: number, reason: string): void {
    for (const listener of this.each(graph)) listener.close(code, reason);
  }

  /** Closes every socket, and answers once all of them are gone. */
  async closeEverything(code: number, reason: string): Promise<void> {
    for (const graph of this.graphs()) this.closeAll(graph, code, reason);
    if (this.#listeners.size === 0) return;
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}
