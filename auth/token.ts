/** Where a request carries its token (protocol.md §1 and §2). Whether it is any good: verify.ts. */

const BEARER = /^Bearer +([^\s]+) *$/i;

/**
 * The token of `Authorization: Bearer …`, or of `?token=…`, which browsers need for sockets.
 * A header of another scheme counts as none; of both, the header's is taken.
 */
export function tokenOf(request: Request): string | undefined {
  const bearer = request.headers.get("authorization")?.match(BEARER)?.[1];
  return bearer ?? (new URL(request.url).searchParams.get("token") || undefined);
}
