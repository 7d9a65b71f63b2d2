/** `/openapi.json`, the page at `/docs` that shows it, and the files that pages load: all open. */
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

export function docsRoutes(): Hono {
  const description = openApiDocument();
  const routes = new Hono();
  routes.get("/openapi.json", (c) => c.json(description));
  routes.get("/docs", pageHeaders("script"), (c) => c.html(html`<!DOCTYPE html>${<DocsPage />}`));

  routes.use("/static/*", etag());
  const file = (name: string, type: string, text: string | (() => Promise<string>)): void => {
    routes.get(`/static/${name}`, async (c) => {
      const body = typeof text === "string" ? text : await text();
      return c.body(body, 200, { "content-type": type, "x-content-type-options": "nosniff" });
    });
  };
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
