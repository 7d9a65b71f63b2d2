/** Browsers may call from anywhere: a token is what lets someone in, never a cookie. */
import type { MiddlewareHandler } from "hono";

/** The same for every answer (protocol.md §2). */
export const CORS_HEADERS: Readonly<Record<string, string>> = Object.freeze({
  "access-control-allow-origin": "*",
  "access-control-allow-headers": "content-type,authorization,x-amz-meta-checksum,x-amz-meta-type",
  "access-control-allow-methods": "GET,POST,PUT,DELETE,OPTIONS,HEAD",
});

/** Answers OPTIONS anywhere with 204, and puts the headers on every answer, errors included. */
export function cors(): MiddlewareHandler {
  return async function corsHeaders(c, next): Promise<Response | void> {
    if (c.req.method === "OPTIONS") {
      return new Response(null, { status: 204, headers: CORS_HEADERS });
    }
    await next();
    // An upgrade's headers can't be changed, and no browser checks them.
    if (c.res.status === 101) return;
    for (const [name, value] of Object.entries(CORS_HEADERS)) c.res.headers.set(name, value);
  };
}
