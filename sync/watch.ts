/**
 * News between processes: the heads of all graphs that have sockets here are watched in the store,
 * which is all that instances on Deploy have in common, or looked at now and then in a file.
 *
 * Nothing is lost: a watch begins with the heads as they are then, so whatever moved while there
 * was none, or while one was broken, is found by comparing versions.
 */
import { pause } from "../kv/pause.ts";
import {
  lookAtHeads,
  type SeeHeads,
  type SeenHead,
  WATCH_GRAPHS,
  watchHeads,
} from "../kv/watch.ts";
import type { Generation, GraphId, T } from "../protocol/ids.ts";
import { loggerFor } from "../telemetry/log.ts";
import type { OpenCarrier } from "./fanout.ts";
import type { News } from "./news.ts";

export interface WatchTimes {
  /** A watch that has been silent for so long is started again: a dead connection may not say so. */
  readonly silenceMs: number;
  /** Before a watch that broke is started again; twice as long each time that it broke at once. */
  readonly pauseMs: number;
  readonly longestPauseMs: number;
}

export const WATCH_TIMES: WatchTimes = Object.freeze({
  silenceMs: 60_000,
  pauseMs: 50,
  longestPauseMs: 5000,
});

/** A look at five graphs is one read of the store. */
const LOOK_EVERY_MS = 1000;

const log = loggerFor("watch");

/** By a watch of the store's, for Deploy and KV Connect. */
export function byWatch(kv: Deno.Kv, times: WatchTimes = WATCH_TIMES): OpenCarrier {
  return bySeeing(watchHeads, kv, times);
}

/** By looks at the store, for a SQLite file. */
export function byLooks(kv: Deno.Kv, everyMs: number = LOOK_EVERY_MS): OpenCarrier {
  const see: SeeHeads = (kv, graphs, signal) => lookAtHeads(kv, graphs, signal, everyMs);
  return bySeeing(see, kv, WATCH_TIMES);
}

/** Sees as many graphs as have sockets here, in groups of WATCH_GRAPHS. */
function bySeeing(see: SeeHeads, kv: Deno.Kv, times: WatchTimes): OpenCarrier {
  return (hub, deliver) => {
    const groups = new Set<Group>();
    let open = true;

    function watch(graph: GraphId): void {
      for (const group of groups) {
        if (group.add(graph)) return;
      }
      const group = new Group(see, kv, times, deliver, graph);
      groups.add(group);
      group.ended.finally(() => groups.delete(group));
    }

    hub.observe((graph, listened) => {
      if (!open) return;
      if (listened) watch(graph);
      else for (const group of groups) group.delete(graph);
    });
    return {
      carry: (news) => {
        for (const group of groups) group.know(news);
      },
      close: async () => {
        open = false;
        for (const group of groups) group.end();
        await Promise.all([...groups].map((group) => group.ended));
      },
    };
  };
}

/** What was last known of a graph. */
interface Known {
  readonly t: T;
  /** A log of another generation is another history: the graph was reset. */
  readonly log: Generation;
  readonly people: string | null;
}

/** One to WATCH_GRAPHS graphs and their one watch. One that has lost its last graph has ended. */
class Group {
  /** Settles when nothing is watched any more. */
  readonly ended: Promise<void>;
  readonly #see: SeeHeads;
  readonly #kv: Deno.Kv;
  readonly #times: WatchTimes;
  readonly #deliver: (news: News) => void;
  /** `undefined`: nothing is known yet, or no more. */
  readonly #graphs = new Map<GraphId, Known | undefined>();
  /** Ends the watch that is running, to start one of the graphs as they are then. */
  #again = new AbortController();

  constructor(
    see: SeeHeads,
    kv: Deno.Kv,
    times: WatchTimes,
    deliver: (news: News) => void,
    first: GraphId,
  ) {
    this.#see = see;
    this.#kv = kv;
    this.#times = times;
    this.#deliver = deliver;
    this.#graphs.set(first, undefined);
    this.ended = this.#run();
  }

  /** Whether there was room for it. */
  add(graph: GraphId): boolean {
    const { size } = this.#graphs;
    if (size === 0 || size >= WATCH_GRAPHS) return false;
    this.#graphs.set(graph, undefined);
    this.#again.abort();
    return true;
  }

  /** The watch goes on with a key too many: what it says of that graph is nobody's news. */
  delete(graph: GraphId): void {
    if (this.#graphs.delete(graph) && this.#graphs.size === 0) this.#again.abort();
  }

  /** This isolate's own news, so that it isn't told again; after a reset the next head is a first. */
  know(news: News): void {
    const known = this.#graphs.get(news.graph);
    // News of people has a version of its own, by which whoever hears it twice sees that.
    if (known === undefined || news.kind === "people") return;
    if (news.kind === "ended") this.#graphs.set(news.graph, undefined);
    else if (known.t < news.t) this.#graphs.set(news.graph, { ...known, t: news.t });
  }

  end(): void {
    this.#graphs.clear();
    this.#again.abort();
  }

  async #run(): Promise<void> {
    let pauseMs = this.#times.pauseMs;
    // Sockets that open together are watched together.
    await Promise.resolve();
    while (this.#graphs.size > 0) {
      this.#again = new AbortController();
      const { signal } = this.#again;
      const began = await this.#watch(signal);
      if (signal.aborted) continue;
      pauseMs = began ? this.#times.pauseMs : Math.min(pauseMs * 2, this.#times.longestPauseMs);
      await pause(pauseMs, signal);
    }
  }

  /** One watch until it ends. Whether it ever began. */
  async #watch(signal: AbortSignal): Promise<boolean> {
    let began = false;
    const silence = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const heard = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), this.#times.silenceMs);
    };
    heard();
    try {
      const either = AbortSignal.any([signal, silence.signal]);
      for await (const heads of this.#see(this.#kv, [...this.#graphs.keys()], either)) {
        began = true;
        heard();
        for (const head of heads) this.#tell(head);
      }
    } catch (cause) {
      log.warn("Cannot watch {graphs} graphs, so the watch starts again", {
        graphs: this.#graphs.size,
        cause,
      });
    } finally {
      clearTimeout(timer);
    }
    return began;
  }

  #tell({ graph, head, people }: SeenHead): void {
    if (!this.#graphs.has(graph)) return;
    const known = this.#graphs.get(graph);
    if (head === undefined) {
      this.#graphs.set(graph, undefined);
      return this.#deliver({ kind: "ended", graph, end: "deleted" });
    }
    this.#graphs.set(graph, { t: head.t, log: head.log, people: people ?? known?.people ?? null });
    // Also what is seen first: a socket may have come between the news and the watch.
    if (people !== null && people !== known?.people) {
      this.#deliver({ kind: "people", graph, version: people });
    }
    if (known === undefined) return this.#deliver({ kind: "at", graph, t: head.t, log: head.log });
    if (known.log !== head.log) return this.#deliver({ kind: "ended", graph, end: "reset" });
    if (known.t < head.t) this.#deliver({ kind: "moved", graph, t: head.t });
  }
}
