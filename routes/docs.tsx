/** `/openapi.json`, the page at `/docs` that shows it, and the files that pages load: all open. */
import { createHash } from "node:crypto";
import { Hono } from "hono";
import { etag } from "hono/etag";
import { html } from "hono/html";
import { DocsPage } from "../pages/docs.tsx";
import docsInit from "../pages/docs_init.js" with { type: "text" };
import icon from "../pages/icon.svg" with { type: "text" };
import style from "../pages/style.css" with { type: "text" };
import { openApiDocument } from "../protocol/openapi.ts";
import { pageHeaders } from "./page_headers.ts";

const SCRIPT = "text/javascript; charset=utf-8";
const STYLE = "text/css; charset=utf-8";

/** Of a file that is on its way to a client so much is in memory. */
const PIECE_BYTES = 64 * 1024;

export function docsRoutes(): Hono {
  const routes = new Hono();
  routes.get("/docs", pageHeaders("script"), (c) => c.html(html`<!DOCTYPE html>${<DocsPage />}`));

  const fileAt = (path: string, type: string, text: string | (() => Promise<string>)): void => {
    let made: PageFile | undefined;
    routes.get(path, etag(), async (c) => {
      const { bytes, sha256 } = made ??= fileOf(typeof text === "string" ? text : await text());
      return c.body(ReadableStream.from(piecesOf(bytes)), 200, {
        "content-type": type,
        "content-length": String(bytes.length),
        "etag": `"${sha256}"`,
        "x-content-type-options": "nosniff",
      });
    });
  };
  const file: typeof fileAt = (name, type, text) => fileAt(`/static/${name}`, type, text);
  fileAt("/openapi.json", "application/json", JSON.stringify(openApiDocument()));
  file("style.css", STYLE, style);
  file("icon.svg", "image/svg+xml", icon);
  file("docs_init.js", SCRIPT, docsInit);
  // Two megabytes that are read only when someone looks at the page. They are imports and no
  // reads of files, so that they are where the server's modules are, whatever has put them there.
  file("swagger-ui.css", STYLE, async () => {
    const { default: text } = await import("swagger-ui-dist/swagger-ui.css", {
      with: { type: "text" },
    });
    return text;
  });
  file("swagger-ui-bundle.js", SCRIPT, async () => {
    const { default: text } = await import("swagger-ui-dist/swagger-ui-bundle.js", {
      with: { type: "text" },
    });
    return text;
  });
  return routes;
}

interface PageFile {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly sha256: string;
}

/** To be made once: for two megabytes it takes 10 ms, and anybody may ask, also for what he has already. */
function fileOf(text: string): PageFile {
  const bytes = new TextEncoder().encode(text);
  return { bytes, sha256: createHash("sha256").update(bytes).digest("hex") };
}

/** Whoever reads nothing of a file has little of it kept for him. */
function* piecesOf(bytes: Uint8Array<ArrayBuffer>): Generator<Uint8Array<ArrayBuffer>> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    yield bytes.subarray(at, at + PIECE_BYTES);
  }
}
