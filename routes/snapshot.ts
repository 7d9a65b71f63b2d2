/** `/sync/:graph-id/snapshot/{upload,download,stream}`: rows in and out in today's dialect. */
import { type Context, Hono } from "hono";
import { accepts } from "hono/accepts";
import { parseChecksum } from "../protocol/ids.ts";
import { rowFrames } from "../protocol/today/frames.ts";
import {
  type DownloadAnswer,
  FRAMES_TYPE,
  parseFinished,
  parseReset,
  parseStreamVersion,
  streamPath,
  type UploadAnswer,
} from "../protocol/today/snapshot.ts";
import type { RowStream } from "../sync/row_stream.ts";
import { answersAtOnce } from "./answers_at_once.ts";
import { graphAccess, managersOnly, refusalNow, type WithGraph } from "./graph_access.ts";
import { goneAnswer, wentBefore } from "./gone.ts";
import { gzip } from "./gzip.ts";
import { publicAddress } from "./origin.ts";
import { readyForUse } from "./ready_for_use.ts";
import { refuse } from "./refuse.ts";
import type { Services } from "./services.ts";
import { startedStream } from "./stream.ts";
import { readUploadBody } from "./upload_body.ts";

export function snapshotRoutes(
  { graphs, limits, snapshots, trustProxy }: Services,
): Hono<WithGraph> {
  const routes = new Hono<WithGraph>();
  const ready = readyForUse(graphs.ready);
  const access = graphAccess(graphs.access);

  routes.post("/upload", managersOnly(), async (c) => {
    const body = await readUploadBody(c.req.raw, c.get("hold"));
    if (!body.ok) return refuse(c, body.refusal);
    const refusal = await refusalNow(graphs.access, c.get("user"), c.get("graph"), "manager");
    if (refusal !== undefined) return refuse(c, refusal);
    const call = {
      by: c.get("user"),
      reset: parseReset(c.req.query("reset")),
      finished: parseFinished(c.req.query("finished")),
      rows: body.rows,
    };
    if ((call.reset || call.finished) && await wentBefore(c.req.raw)) return goneAnswer();
    const checksum = parseChecksum(c.req.query("checksum"));
    const outcome = await snapshots.upload(c.get("graph"), call, checksum);
    switch (outcome) {
      case "staged":
      case "finished":
        return c.json({ ok: true, count: body.rows.count } satisfies UploadAnswer);
      case "gone":
        return refuse(c, "not found");
      case "not begun":
        return refuse(c, "no snapshot upload");
      case "unfit":
        return refuse(c, "invalid snapshot");
      default:
        return outcome satisfies never;
    }
  });

  routes.get("/download", ready, async (c) => {
    const graph = c.get("graph");
    const version = await snapshots.versionToStream(graph, c.get("user"));
    if (version === undefined) return refuse(c, "not found");
    if (version === "replaced") return refuse(c, "graph replaced");
    return c.json(
      {
        "ok": true,
        "key": `stream/${graph}.snapshot`,
        "url": `${publicAddress(c.req.raw, trustProxy)}${streamPath(graph, version)}`,
        ...acceptsGzip(c) && { "content-encoding": "gzip" },
      } satisfies DownloadAnswer,
    );
  });

  routes.get("/stream", ready, answersAtOnce(limits.answers), access, async (c) => {
    const version = parseStreamVersion(c.req.query("t"), c.req.query("log"));
    if (version === undefined) return refuse(c, "not found");
    const opened = await snapshots.stream(
      c.get("graph"),
      version === "current" ? undefined : version,
    );
    switch (opened.kind) {
      case "open":
        return await streamRows(c, opened.stream);
      case "gone":
        return refuse(c, "not found");
      case "not ready":
        return refuse(c, "graph not ready");
      default:
        return opened satisfies never;
    }
  });

  return routes;
}

async function streamRows(c: Context, { count, rows }: RowStream): Promise<Response> {
  const frames = await startedStream(c, rowFrames(rows));
  const packed = acceptsGzip(c);
  return c.body(packed ? frames.pipeThrough(gzip()) : frames, 200, {
    "content-type": FRAMES_TYPE,
    "x-snapshot-row-count": `${count}`,
    "vary": "accept-encoding",
    ...packed && { "content-encoding": "gzip" },
  });
}

/** Whether the client says that it takes gzip (RFC 9110 §12.5.3). */
function acceptsGzip(c: Context): boolean {
  const chosen = accepts(c, {
    header: "Accept-Encoding",
    supports: ["gzip", "identity"],
    default: "identity",
    match: (asked) => {
      const told = asked.find(({ type }) => type === "gzip") ??
        asked.find(({ type }) => type === "*");
      return told !== undefined && told.q > 0 ? "gzip" : "identity";
    },
  });
  return chosen === "gzip";
}
