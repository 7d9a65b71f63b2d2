/** The sockets of each graph in this isolate. Knows who listens, not what there is to say. */
import type { Generation, GraphId, T } from "../protocol/ids.ts";
import type { CloseReason } from "./close_codes.ts";

/** One who wants to hear of a graph: a connection (connection.ts). No method may throw. */
export interface Listener {
  /** The graph's version is `t` since a moment ago. */
  changed(t: T): void;
  /** The graph's version is `t`, of this log: news only if it is later than what the listener was told. */
  compare(t: T, log: Generation): void;
  /** The same, and told again to who was told it already: a sign of life. */
  remind(t: T, log: Generation): void;
  /** Ends the socket at once. */
  close(reason: CloseReason): void;
  /** Ends the socket after the answers to all that has come in. */
  leave(reason: CloseReason): void;
}

/** Told when a graph gets its first listener (`true`), and when it has lost its last (`false`). */
export type HubObserver = (graph: GraphId, listened: boolean) => void;

/** Listeners by graph. A graph without any takes no memory. */
export class Hub {
  readonly #listeners = new Map<GraphId, Set<Listener>>();
  readonly #observers: HubObserver[] = [];
  readonly #waiting: (() => void)[] = [];
  #leaving: CloseReason | undefined;

  /** Adding one twice is adding it once. Of a hub that is being left it is sent away at once. */
  add(graph: GraphId, listener: Listener): void {
    const listeners = this.#listeners.get(graph);
    if (listeners === undefined) {
      this.#listeners.set(graph, new Set([listener]));
      this.#tellObservers(graph, true);
    } else listeners.add(listener);
    if (this.#leaving !== undefined) listener.leave(this.#leaving);
  }

  /** Idempotent: a socket may report its end twice (platform.md §2). */
  delete(graph: GraphId, listener: Listener): void {
    const listeners = this.#listeners.get(graph);
    listeners?.delete(listener);
    if (listeners?.size === 0) {
      this.#listeners.delete(graph);
      this.#tellObservers(graph, false);
    }
    if (this.#listeners.size === 0) {
      for (const resolve of this.#waiting.splice(0)) resolve();
    }
  }

  /** From now on; of the graphs that are listened to already it is told at once. */
  observe(observer: HubObserver): void {
    this.#observers.push(observer);
    for (const graph of this.graphs()) observer(graph, true);
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
  closeAll(graph: GraphId, reason: CloseReason): void {
    for (const listener of this.each(graph)) listener.close(reason);
  }

  /** Closes every socket now. */
  closeEverything(reason: CloseReason): void {
    for (const graph of this.graphs()) this.closeAll(graph, reason);
  }

  /**
   * Closes every socket after its answers, also those that open from now on. Answers once all of
   * them are gone.
   */
  async leave(reason: CloseReason): Promise<void> {
    this.#leaving = reason;
    for (const graph of this.graphs()) {
      for (const listener of this.each(graph)) listener.leave(reason);
    }
    if (this.#listeners.size === 0) return;
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #tellObservers(graph: GraphId, listened: boolean): void {
    for (const observer of this.#observers) observer(graph, listened);
  }
}
