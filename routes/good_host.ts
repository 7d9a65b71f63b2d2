/**
 * Requests whose Host header is no host: Deno (2.9) puts it into a URL as it is, and lets them in. Some
 * come to no URL, others to one of another path: `a/metrics?` before `/health`.
 */
import type { MiddlewareHandler } from "hono";
import { HOST } from "./origin.ts";
import { refuse } from "./refuse.ts";

/**
 * 400, as RFC 9112 §3.2 asks: else whoever parsed such a URL would throw, and log a fault of ours; and a
 * proxy that keeps a path from some would be got around.
 */
export function goodHost(): MiddlewareHandler {
  return async function refuseBadHost(c, next): Promise<Response | void> {
    const host = c.req.header("host") || undefined;
    const isHost = host === undefined || HOST.test(host);
    if (!isHost || !URL.canParse(c.req.url)) return refuse(c, "invalid host");
    await next();
  };
}
