/** The address at which the client that asks sees this server. */

/** A name or an address, maybe with a port: what a Host header may be (RFC 9110 §7.2). */
export const HOST = /^[A-Za-z0-9._-]+(:[0-9]{1,5})?$|^\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?$/;
const PREFIX = /^(\/[A-Za-z0-9._~-]+)+$/;

/**
 * `scheme://host` and the path below which the server is, without a slash at the end: what an address
 * that is given to this client must begin with.
 *
 * From the request's own Host; behind a proxy that is trusted, from its X-Forwarded-Proto, -Host and
 * -Prefix, as far as they are there and can be meant. Of several proxies the first one counts, which
 * is the one that the client sees.
 */
export function publicAddress(request: Request, trustProxy: boolean): string {
  const { protocol, host } = new URL(request.url);
  if (!trustProxy) return `${protocol}//${host}`;
  const told = (name: string): string =>
    (request.headers.get(`x-forwarded-${name}`) ?? "").split(",")[0]?.trim() ?? "";
  const scheme = told("proto").toLowerCase();
  const prefix = withoutEndSlashes(told("prefix"));
  return [
    scheme === "https" || scheme === "http" ? `${scheme}:` : protocol,
    "//",
    HOST.test(told("host")) ? told("host") : host,
    PREFIX.test(prefix) ? prefix : "",
  ].join("");
}

/** In one walk: `/\/+$/` takes quadratic time for slashes that something follows. */
function withoutEndSlashes(text: string): string {
  let end = text.length;
  while (text[end - 1] === "/") end--;
  return text.slice(0, end);
}
