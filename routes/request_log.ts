/** A line in the log for each request: the path without its query, which may hold a token. */
import type { MiddlewareHandler } from "hono";
import { loggerFor } from "../telemetry/log.ts";
import type { WithGraph } from "./graph_access.ts";

const log = loggerFor("http");

/** Who asked, and for which graph, is known of requests that came so far. */
interface Answered {
  Variables: Partial<WithGraph["Variables"]>;
}

/** @param clock milliseconds from any start */
export function requestLog(clock: () => number): MiddlewareHandler<Answered> {
  return async function logRequest(c, next): Promise<void> {
    const start = clock();
    await next();
    log.debug("{method} {path} {status} in {ms} ms", {
      method: c.req.method,
      path: c.req.path,
      status: c.res.status,
      ms: Math.round(clock() - start),
      user: c.get("user"),
      graph: c.get("graph"),
    });
  };
}
