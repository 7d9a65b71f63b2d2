/** A line in the log for each request, at level debug. Never the query: a token may be in it. */
import type { MiddlewareHandler } from "hono";
import { loggerFor } from "../telemetry/log.ts";

const log = loggerFor("http");

/** @param clock milliseconds from any start */
export function requestLog(clock: () => number): MiddlewareHandler {
  return async function logRequest(c, next): Promise<void> {
    const start = clock();
    await next();
    log.debug("{method} {path} {status} in {ms} ms", {
      method: c.req.method,
      path: c.req.path,
      status: c.res.status,
      ms: Math.round(clock() - start),
    });
  };
}
