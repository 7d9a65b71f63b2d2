/** What every page is sent with: it may load only what this server has, and nobody may frame it. */
import type { MiddlewareHandler } from "hono";
import { secureHeaders } from "hono/secure-headers";

/** `script`: a page with scripts of ours, which fetch from this server. */
export type PageKind = "plain" | "script";

export function pageHeaders(kind: PageKind): MiddlewareHandler {
  const scripts = kind === "script" ? { scriptSrc: ["'self'"], connectSrc: ["'self'"] } : {};
  return secureHeaders({
    contentSecurityPolicy: {
      defaultSrc: ["'none'"],
      styleSrc: ["'self'"],
      // Swagger UI's style sheet has small pictures in itself.
      imgSrc: kind === "script" ? ["'self'", "data:"] : ["'self'"],
      formAction: ["'self'"],
      frameAncestors: ["'none'"],
      baseUri: ["'none'"],
      ...scripts,
    },
    // With no-referrer a browser sends `Origin: null` with our own forms, and over plain HTTP nothing beside it.
    referrerPolicy: "same-origin",
    // For whoever ends TLS to say, also of the domain's other hosts.
    strictTransportSecurity: false,
  });
}
