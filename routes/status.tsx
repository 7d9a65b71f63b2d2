/**
 * The status pages, for people with a browser: sign in, see one's graphs, download, delete. They
 * go by the session's cookie (session.ts) and by nothing else.
 */
import { type Context, Hono, type MiddlewareHandler } from "hono";
import { csrf } from "hono/csrf";
import { html } from "hono/html";
import { HTTPException } from "hono/http-exception";
import type { JSX } from "hono/jsx/jsx-runtime";
import { accessTo } from "../auth/access.ts";
import type { GraphId, UserId } from "../protocol/ids.ts";
import type { Role } from "../protocol/role.ts";
import { Root, rootFrom } from "../pages/root.ts";
import { DeletePage } from "../pages/delete.tsx";
import { GraphsPage } from "../pages/graphs.tsx";
import { NoticePage } from "../pages/notice.tsx";
import { SignInPage } from "../pages/sign_in.tsx";
import { loggerFor } from "../telemetry/log.ts";
import { answersAtOnce } from "./answers_at_once.ts";
import { readForm } from "./form_body.ts";
import { publicAddress } from "./origin.ts";
import { pageHeaders } from "./page_headers.ts";
import type { Services } from "./services.ts";
import { signedInUser, signIn, signOut } from "./session.ts";

const log = loggerFor("pages");

/** A form with a token, and some. */
const MAX_FORM_BYTES = 16 * 1024;

type StatusServices = Pick<Services, "verify" | "graphs" | "pages" | "limits" | "trustProxy">;

/** What a page of a user knows. */
interface SignedIn {
  Variables: { user: UserId };
}

/** What a page of one graph knows. */
interface OneGraph {
  Variables: SignedIn["Variables"] & { graph: GraphId; role: Role };
}

const NOTHING_YET = {
  title: "Nothing to download",
  text: "No client has put anything into this graph yet.",
};

const MANAGERS_ONLY = {
  title: "Refused",
  text: "Only a manager of this graph can delete it.",
};

const TOO_MANY = {
  title: "Too many requests",
  text: "Wait a few seconds, then load this page again.",
};

const PROBLEMS = {
  "unauthorized": "This token is not good, or no longer.",
  "forbidden": "This token is good, but its user may not use this server.",
  "sign-in unavailable": "The sign-in provider does not answer now. Try again in a minute.",
  "too long": "This token is too long to be kept in a browser.",
} as const;

/** @param now ms since the epoch */
export function statusRoutes(services: StatusServices, now: () => number): Hono {
  const { verify, pages, limits, trustProxy } = services;
  const routes = new Hono();
  routes.onError(errorPage);
  for (const path of ["/", "/sign-in", "/sign-out", "/status/*"]) {
    routes.use(path, pageHeaders("plain"), noStore, csrf({ origin: isSameHost(trustProxy) }));
  }

  const orSignIn = signedIn(services, (c) => page(c, <SignInPage />));
  routes.get("/", orSignIn, answersAtOnce(limits.lists), async (c) => {
    const user = c.get("user");
    return page(c, <GraphsPage user={user} graphs={await pages.overview(user)} now={now()} />);
  });

  routes.post("/sign-in", async (c) => {
    const form = await readForm(c.req.raw, MAX_FORM_BYTES);
    if (form === "too large") return tooLarge(c);
    const token = form === "cut off" ? null : form.get("token");
    const outcome = typeof token === "string"
      ? await signIn(c, verify, token.trim())
      : "unauthorized";
    if (outcome === "ok") return c.redirect(rootFrom(c.req.path), 303);
    return page(c, <SignInPage problem={PROBLEMS[outcome]} />, 401);
  });

  routes.post("/sign-out", (c) => {
    signOut(c);
    return c.redirect(rootFrom(c.req.path), 303);
  });

  routes.route("/status/:id", graphPages(services));
  return routes;
}

/** Sets `user`. @param otherwise answers who is not signed in */
function signedIn(
  { verify, limits }: Pick<StatusServices, "verify" | "limits">,
  otherwise: (c: Context) => Response | Promise<Response>,
): MiddlewareHandler<SignedIn> {
  return async function takeSession(c, next): Promise<Response | void> {
    const user = await signedInUser(c, verify);
    if (user === undefined) return await otherwise(c);
    if (limits.requests.take(user) > 0) return tooMany(c);
    c.set("user", user);
    await next();
  };
}

function graphPages(services: StatusServices): Hono<OneGraph> {
  const { pages, graphs, limits } = services;
  const routes = new Hono<OneGraph>();
  const withAccess: MiddlewareHandler<OneGraph> = async (c, next): Promise<Response | void> => {
    const access = await accessTo(graphs.access, c.get("user"), c.req.param("id") ?? "");
    // Another's graph is none that there is, for all that this page tells.
    if (!access.ok) return noSuchGraph(c);
    c.set("graph", access.graph);
    c.set("role", access.role);
    await next();
  };
  routes.use("/*", signedIn(services, (c) => c.redirect(rootFrom(c.req.path), 303)), withAccess);

  routes.use("/delete", async (c, next): Promise<Response | void> => {
    if (c.get("role") !== "manager") return page(c, <NoticePage {...MANAGERS_ONLY} />, 403);
    await next();
  });

  routes.get("/delete", async (c) => {
    const name = await pages.name(c.get("graph"));
    if (name === undefined) return noSuchGraph(c);
    return page(c, <DeletePage user={c.get("user")} graph={c.get("graph")} name={name} />);
  });

  routes.post("/delete", async (c) => {
    await graphs.remove(c.get("graph"));
    return c.redirect(rootFrom(c.req.path), 303);
  });

  routes.get("/backup", answersAtOnce(limits.backups), withAccess, async (c) => {
    const backup = await pages.backup(c.get("graph"));
    if (backup === undefined) return noSuchGraph(c);
    if (backup === "empty") return page(c, <NoticePage {...NOTHING_YET} />, 404);
    return c.body(backup.stream, 200, {
      "content-type": "application/vnd.sqlite3",
      "content-length": String(backup.size),
      "content-disposition": `attachment; filename="${backup.filename}"`,
    });
  });
  return routes;
}

type PageStatus = 200 | 401 | 403 | 404 | 413 | 429 | 500;

function page(
  c: Context,
  content: JSX.Element,
  status: PageStatus = 200,
): Response | Promise<Response> {
  const root = rootFrom(c.req.path);
  return c.html(
    html`<!DOCTYPE html>${<Root.Provider value={root}>{content}</Root.Provider>}`,
    status,
  );
}

function noSuchGraph(c: Context): Response | Promise<Response> {
  return page(c, <NoticePage title="No such graph" text="It may have been deleted." />, 404);
}

function tooMany(c: Context): Response | Promise<Response> {
  return page(c, <NoticePage {...TOO_MANY} />, 429);
}

function tooLarge(c: Context): Response | Promise<Response> {
  return page(c, <SignInPage problem={PROBLEMS["too long"]} />, 413);
}

function errorPage(cause: Error, c: Context): Response | Promise<Response> {
  if (cause instanceof HTTPException && cause.status === 403) {
    const text = "This form was sent from another site.";
    return page(c, <NoticePage title="Refused" text={text} />, 403);
  }
  log.error("Cannot show {path}", { path: c.req.path, cause });
  const text = "The fault is the server's. Its log says more.";
  return page(c, <NoticePage title="That did not work" text={text} />, 500);
}

/** What a page shows is its user's: no cache may keep it. */
const noStore: MiddlewareHandler = async (c, next): Promise<void> => {
  await next();
  c.header("cache-control", "no-store");
};

/** By host and port alone: a proxy that ends TLS hides the scheme. */
function isSameHost(trustProxy: boolean): (origin: string, c: Context) => boolean {
  return (origin, c) =>
    URL.canParse(origin) &&
    new URL(origin).host === URL.parse(publicAddress(c.req.raw, trustProxy))?.host;
}
