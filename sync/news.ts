/** What there is to tell of a graph, and how the sockets of this isolate hear it. */
import type { Generation, GraphId, T } from "../protocol/ids.ts";
import { closeReason } from "./close_codes.ts";
import type { Hub } from "./hub.ts";

/** Why all sockets of a graph are closed. */
export type GraphEnd = "deleted" | "reset";

export type News =
  /** The graph's version is `t` since a moment ago. */
  | { readonly kind: "moved"; readonly graph: GraphId; readonly t: T }
  /** The graph's version is `t`, of this log, since when can't be told: news to who was told another. */
  | { readonly kind: "at"; readonly graph: GraphId; readonly t: T; readonly log: Generation }
  /** The graph was deleted, or starts again at 0. */
  | { readonly kind: "ended"; readonly graph: GraphId; readonly end: GraphEnd }
  | PeopleNews;

/**
 * Someone was put out of the graph, came or went: who hears it looks at the store. `version` is
 * another one each time.
 */
export interface PeopleNews {
  readonly kind: "people";
  readonly graph: GraphId;
  readonly version: string;
}

/**
 * Tells the listeners of this isolate.
 *
 * @param sender is left out
 */
export function tell(hub: Hub, news: Exclude<News, PeopleNews>, sender?: object): void {
  switch (news.kind) {
    case "moved":
      for (const listener of hub.each(news.graph)) {
        if (listener !== sender) listener.changed(news.t);
      }
      return;
    case "at":
      for (const listener of hub.each(news.graph)) listener.compare(news.t, news.log);
      return;
    case "ended":
      return hub.closeAll(news.graph, closeReason[news.end]);
    default:
      return news satisfies never;
  }
}
