/** Browsers may call from anywhere: a token is what lets someone in, never a cookie. */
import type { MiddlewareHandler } from "hono";

/** The same for every answer (protocol.md §2), but for what is only in today's dialect. */
const CORS_HEADERS: Readonly<Record<string, string>> = Object.freeze({
  "access-control-allow-origin": "*",
  "access-control-allow-headers": "content-type,authorization,x-amz-meta-checksum,x-amz-meta-type",
  "access-control-allow-methods": "GET,POST,PUT,DELETE,OPTIONS,HEAD",
});

/** Today's way of snapshots: its clients send gzip, and read headers (upstream.md §1.6). */
const SNAPSHOT_PATH = /^\/sync\/[^/]+\/snapshot\/(upload|download|stream)$/;
const SNAPSHOT_CORS_HEADERS: typeof CORS_HEADERS = Object.freeze({
  ...CORS_HEADERS,
  "access-control-allow-headers": `${
    CORS_HEADERS["access-control-allow-headers"]
  },content-encoding`,
  "access-control-expose-headers":
    "content-type,content-encoding,content-length,cache-control,x-asset-type,x-asset-size," +
    "x-snapshot-row-count",
});

function corsHeadersOf(path: string): typeof CORS_HEADERS {
  return SNAPSHOT_PATH.test(path) ? SNAPSHOT_CORS_HEADERS : CORS_HEADERS;
}

/** Answers OPTIONS anywhere with 204, and puts the headers on every answer, errors included. */
export function cors(): MiddlewareHandler {
  return async function corsHeaders(c, next): Promise<Response | void> {
    if (c.req.method === "OPTIONS") {
      return new Response(null, { status: 204, headers: corsHeadersOf(c.req.path) });
    }
    await next();
    // An upgrade's headers can't be changed, and no browser checks them.
    if (c.res.status === 101) return;
    for (const [name, value] of Object.entries(corsHeadersOf(c.req.path))) {
      c.res.headers.set(name, value);
    }
  };
}
