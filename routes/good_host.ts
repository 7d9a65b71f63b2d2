/** Requests whose Host header is no host: Deno (2.9) makes a URL with it that is none, and lets them in. */
import type { MiddlewareHandler } from "hono";
import { refuse } from "./refuse.ts";

/** 400, as RFC 9112 §3.2 asks: else whoever parsed such a URL would throw, and log a fault of ours. */
export function goodHost(): MiddlewareHandler {
  return async function refuseBadHost(c, next): Promise<Response | void> {
    if (!URL.canParse(c.req.url)) return refuse(c, "invalid host");
    await next();
  };
}
