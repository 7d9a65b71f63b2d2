/** News to the other isolates of this process: a BroadcastChannel, which crosses no process. */
import { z } from "zod";
import { graphIdSchema, tSchema } from "../protocol/id_schema.ts";
import { loggerFor } from "../telemetry/log.ts";
import type { OpenCarrier } from "./fanout.ts";
import type { News } from "./news.ts";

/** Same name in every isolate of the process. */
const CHANNEL_NAME = "graph changes";

const log = loggerFor("channel");

const newsSchema: z.ZodType<News> = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("moved"), graph: graphIdSchema, t: tSchema }),
  z.object({ kind: z.literal("ended"), graph: graphIdSchema, end: z.enum(["deleted", "reset"]) }),
  z.object({ kind: z.literal("people"), graph: graphIdSchema, version: z.string() }),
]);

/** What others put on the channel that is no news of ours is ignored. */
export function byChannel(channelName: string = CHANNEL_NAME): OpenCarrier {
  return (_hub, deliver) => {
    // Two objects of one name in an isolate hear each other but not themselves, so a server's own
    // posts don't come back to it, while a second server in the same isolate (tests) hears them.
    const channel = new BroadcastChannel(channelName);
    channel.onmessage = (event: MessageEvent<unknown>): void => {
      const news = newsSchema.safeParse(event.data);
      if (news.success) deliver(news.data);
    };
    let open = true;
    return {
      carry: (news) => {
        // A batch may still end while the process leaves; a closed channel throws.
        if (!open) return;
        try {
          channel.postMessage(news);
        } catch (cause) {
          // Deno's channel can lose its end (see the test): what is stored stays stored, and answered.
          log.warn("Cannot tell other isolates of {graph}", { graph: news.graph, cause });
        }
      },
      close: () => {
        open = false;
        channel.close();
        return Promise.resolve();
      },
    };
  };
}
