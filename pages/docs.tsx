/** The page at `/docs`: Swagger UI over `/openapi.json`. All that it loads is ours to serve. */
import type { JSX } from "hono/jsx/jsx-runtime";

export function DocsPage(): JSX.Element {
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>API · Logseq sync</title>
        <link rel="icon" href="static/icon.svg" />
        <link rel="stylesheet" href="static/swagger-ui.css" />
        <script src="static/swagger-ui-bundle.js" defer></script>
        <script src="static/docs_init.js" defer></script>
      </head>
      <body>
        <div id="docs"></div>
        <noscript>
          This page needs JavaScript; <a href="openapi.json">the description</a> does not.
        </noscript>
      </body>
    </html>
  );
}
