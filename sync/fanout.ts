/**
 * News of a graph to all who listen: the sockets of this isolate through the hub, and those of other
 * isolates and processes through carriers. Notices are for speed, not for safety: one that is lost
 * costs a client only time, since it compares versions whenever it (re)connects. Several carriers
 * may bring the same news: a listener hears of a version once.
 */
import type { GraphId, T } from "../protocol/ids.ts";
import type { Hub } from "./hub.ts";
import { type GraphEnd, type News, type PeopleNews, tell } from "./news.ts";

/** What batch, import, reset and delete tell the world. No method throws. */
export interface Fanout {
  /**
   * The graph's version is `t` now: `changed` to every socket of the graph but the sender's.
   *
   * @param sender the connection whose batch it was, if it came over a socket
   */
  moved(graph: GraphId, t: T, sender?: object): void;
  /** The graph was deleted, or starts again at 0: its sockets are closed. */
  ended(graph: GraphId, end: GraphEnd): void;
  /** Others should look who is there, and who may be; whoever calls this has looked. */
  people(graph: GraphId, version: string): void;
  /** From now on; of what others told. */
  onPeople(listener: (news: PeopleNews) => void): void;
  /** Hears nothing more from elsewhere. What is told from now on reaches this isolate alone. */
  close(): Promise<void>;
}

/** A way for news between isolates: channel.ts, watch.ts. No method throws. */
export interface Carrier {
  /** News of this isolate, which its own listeners have heard. */
  carry(news: News): void;
  /** Delivers nothing more. */
  close(): Promise<void>;
}

/**
 * Opens a carrier.
 *
 * @param hub says which graphs are listened to here
 * @param deliver takes news from elsewhere
 */
export type OpenCarrier = (hub: Hub, deliver: (news: News) => void) => Carrier;

/** `close` must be called, or what the carriers hold open is left behind. */
export function openFanout(hub: Hub, ways: readonly OpenCarrier[]): Fanout {
  const listeners: ((news: PeopleNews) => void)[] = [];
  const carriers = ways.map((open) => open(hub, deliver));

  function deliver(news: News): void {
    if (news.kind === "people") { for (const listener of listeners) listener(news); }
    else tell(hub, news);
  }

  function carry(news: News): void {
    for (const carrier of carriers) carrier.carry(news);
  }

  function publish(news: Exclude<News, PeopleNews>, sender?: object): void {
    tell(hub, news, sender);
    carry(news);
  }

  return {
    moved: (graph, t, sender) => publish({ kind: "moved", graph, t }, sender),
    ended: (graph, end) => publish({ kind: "ended", graph, end }),
    people: (graph, version) => carry({ kind: "people", graph, version }),
    onPeople: (listener) => void listeners.push(listener),
    close: async () => {
      await Promise.all(carriers.map((carrier) => carrier.close()));
    },
  };
}
