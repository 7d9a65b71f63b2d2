/** Nobody reads or writes a graph before the upload that makes it has ended. */
import type { MiddlewareHandler } from "hono";
import type { WithGraph } from "./graph_access.ts";
import { refuse } from "./refuse.ts";
import type { GraphServices } from "./services.ts";

/** 409 for a graph that waits for its upload. Behind `graphAccess`. */
export function readyForUse(ready: GraphServices["ready"]): MiddlewareHandler<WithGraph> {
  return async function checkReady(c, next): Promise<Response | void> {
    // A graph that is gone by now is for what comes next to find.
    if (await ready(c.get("graph")) === false) return refuse(c, "graph not ready");
    await next();
  };
}
