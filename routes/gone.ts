/**
 * Clients that went before their answer. Deno (2.9) tells of them by a request's signal, if that was
 * asked for before they went: listen.ts does.
 */

/** Whether nobody waits for the answer any more. */
export function hasGone(request: Request): boolean {
  return request.signal.aborted;
}

/** For the log: nobody reads it. 499 is nginx's for "client closed request". */
export function goneAnswer(): Response {
  return new Response(null, { status: 499 });
}
