/** `/assets/:graph-id/:asset-uuid.:ext`: a graph's files, streamed. Behind `authenticate`. */
import { type Context, Hono } from "hono";
// @ts-types="@types/fresh"
import fresh from "fresh";
import { OBJECT_BYTES } from "../assets/s3_store.ts";
import { NoBlobStoreError } from "../assets/store.ts";
import { type ByteRange, parseRange } from "../assets/range.ts";
import { maxAssetBytes, parseAssetHeaders } from "../protocol/asset.ts";
import { assetExt, type AssetName, parseAssetName } from "../protocol/ids.ts";
import type { OpenAsset } from "../sync/assets.ts";
import { answersAtOnce } from "./answers_at_once.ts";
import { mustHold } from "./body_share.ts";
import { graphAccess, refusalNow, type WithGraph } from "./graph_access.ts";
import { refuse } from "./refuse.ts";
import type { Services } from "./services.ts";
import { startedStream } from "./stream.ts";

interface WithAsset {
  Variables: WithGraph["Variables"] & { asset: AssetName };
}

/**
 * What a user uploaded is not to act in this server's name: it runs no script, and is not taken for
 * another type than it was given. It may be replaced, so it is asked for again; the ETag makes that
 * cheap.
 */
const FILE_HEADERS: Readonly<Record<string, string>> = Object.freeze({
  "accept-ranges": "bytes",
  "cache-control": "private, no-cache",
  "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
  "x-content-type-options": "nosniff",
});

export function assetRoutes({ graphs, assets, limits }: Services): Hono<WithAsset> {
  const routes = new Hono<WithAsset>();
  routes.onError((cause, c) => {
    if (cause instanceof NoBlobStoreError) return refuse(c, "missing assets bucket");
    throw cause;
  });
  const access = graphAccess(graphs.access);
  routes.use("/*", access);
  routes.use("/:name", async (c, next): Promise<Response | void> => {
    const name = parseAssetName(c.req.param("name"));
    if (name === undefined) return refuse(c, "invalid asset path");
    c.set("asset", name);
    await next();
  });

  routes.get("/:name", answersAtOnce(limits.files), access, async (c) => {
    const open = await assets.open(c.get("graph"), c.get("asset"));
    return open === undefined ? refuse(c, "not found") : await answer(c, open);
  });

  routes.put("/:name", async (c) => {
    const e2ee = await assets.isEncrypted(c.get("graph"));
    const headers = parseAssetHeaders(c.req.raw.headers, e2ee);
    // No store keeps more of an upload in memory: S3's an object, KV's a commit.
    mustHold(c.get("hold"), Math.min(headers.length ?? Infinity, OBJECT_BYTES));
    const outcome = await assets.put(c.get("graph"), c.get("asset"), {
      headers,
      body: c.req.raw.body,
      maxBytes: maxAssetBytes(e2ee),
      refusalNow: () => refusalNow(graphs.access, c.get("user"), c.get("graph"), "member"),
    });
    if (outcome === undefined) return refuse(c, "not found");
    return outcome === "stored" ? c.json({ ok: true }) : refuse(c, outcome);
  });

  routes.delete("/:name", async (c) => {
    await assets.remove(c.get("graph"), c.get("asset"));
    return c.json({ ok: true });
  });

  routes.all("/:name", (c) => refuse(c, "method not allowed", { allow: "GET, HEAD, PUT, DELETE" }));
  routes.all("/*", (c) => refuse(c, "invalid asset path"));
  return routes;
}

/** 200, 206, 304 or 416, in the order of RFC 9110 §13.2.2. */
async function answer(c: Context<WithAsset>, { asset, read }: OpenAsset): Promise<Response> {
  const etag = `"${asset.sha256}"`;
  for (const [name, value] of Object.entries({ ...FILE_HEADERS, etag })) c.header(name, value);

  if (fresh(c.req.header(), { etag })) return c.body(null, 304);

  const ifRange = c.req.header("if-range");
  const asked = ifRange === undefined || ifRange === etag ? c.req.header("range") : undefined;
  const range = parseRange(asked, asset.size);
  if (range === "not satisfiable") {
    c.header("content-range", `bytes */${asset.size}`);
    return refuse(c, "range not satisfiable");
  }
  if (range !== undefined) {
    c.header("content-range", `bytes ${range.start}-${range.end - 1}/${asset.size}`);
  }
  c.header("content-type", asset.contentType ?? "application/octet-stream");
  c.header("x-asset-type", headerText(assetExt(c.get("asset"))));
  if (asset.checksum !== undefined) c.header("x-amz-meta-checksum", asset.checksum);

  const { start, end }: ByteRange = range ?? { start: 0, end: asset.size };
  c.header("content-length", String(end - start));
  // A HEAD comes here as a GET.
  const status = range === undefined ? 200 : 206;
  if (c.req.raw.method === "HEAD") return c.body(null, status);
  return c.body(await startedStream(c, read(start, end)), status);
}

/** As it is, where a header can hold it (RFC 9110 §5.5); else percent-encoded, as in the path. */
function headerText(text: string): string {
  return /^[\x20-\x7e]*$/.test(text) && text.trim() === text ? text : encodeURIComponent(text);
}
