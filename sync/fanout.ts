/**
 * News of a graph to all who listen: the sockets of this isolate through the hub, and the other
 * isolates of this process through a BroadcastChannel. Notices are for speed, not for safety: one
 * that is lost costs a client only time, since it compares versions whenever it (re)connects.
 */
import { z } from "zod";
import type { GraphId, T } from "../protocol/ids.ts";
import { graphIdSchema, tSchema } from "../protocol/id_schema.ts";
import { loggerFor } from "../telemetry/log.ts";
import { type CloseReason, closeReason } from "./close_codes.ts";
import type { Hub } from "./hub.ts";

/** Why all sockets of a graph are closed. */
export type GraphEnd = "deleted" | "reset";

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
  /** Stops listening to other isolates. */
  close(): void;
}

/** Same name in every isolate of the process. */
export const CHANNEL_NAME = "graph changes";

const log = loggerFor("fanout");

const newsSchema = z.union([
  z.object({ graph: graphIdSchema, t: tSchema }),
  z.object({ graph: graphIdSchema, ended: z.enum(["deleted", "reset"]) }),
]);
type News = z.output<typeof newsSchema>;

/** Opens the channel; `close` must be called, or a listener is left behind. */
export function openFanout(hub: Hub, channelName: string = CHANNEL_NAME): Fanout {
  // Two objects of one name in an isolate hear each other but not themselves, so a server's own
  // posts don't come back to it, while a second server in the same isolate (tests) hears them.
  const channel = new BroadcastChannel(channelName);
  channel.onmessage = (event: MessageEvent<unknown>): void => {
    const news = newsSchema.safeParse(event.data);
    if (news.success) tell(hub, news.data);
  };

  let open = true;

  function publish(news: News, sender?: object): void {
    tell(hub, news, sender);
    // A batch may still end while the process leaves; a closed channel throws.
    if (!open) return;
    try {
      channel.postMessage(news);
    } catch (cause) {
      // Deno's channel can lose its end (see the test): what is stored stays stored, and answered.
      log.warn("Cannot tell other isolates of {graph}", { graph: news.graph, cause });
    }
  }

  return {
    moved: (graph, t, sender) => publish({ graph, t }, sender),
    ended: (graph, end) => publish({ graph, ended: end }),
    close: () => {
      open = false;
      channel.close();
    },
  };
}

function tell(hub: Hub, news: News, sender?: object): void {
  if ("t" in news) {
    for (const listener of hub.each(news.graph)) {
      if (listener !== sender) listener.changed(news.t);
    }
  } else {
    const { code, reason }: CloseReason = closeReason[news.ended];
    hub.closeAll(news.graph, code, reason);
  }
}
