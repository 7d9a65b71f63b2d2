/**
 * Clients that went before their answer. Deno (2.9) tells of them by a request's signal, if that was
 * asked for before they went: listen.ts does.
 */

import type { AtOnce } from "../limits/at_once.ts";
import type { UserId } from "../protocol/ids.ts";

/** Whether nobody waits for the answer any more. */
export function hasGone(request: Request): boolean {
  return request.signal.aborted;
}

/** Does the work of a request when its turn among its user's has come, if anybody waits for it then. */
export async function inTurn<Result>(
  limit: AtOnce,
  user: UserId,
  request: Request,
  work: () => Promise<Result>,
): Promise<Result | "client gone"> {
  return await limit.run(
    user,
    async () => hasGone(request) ? "client gone" as const : await work(),
  );
}

/** For the log: nobody reads it. 499 is nginx's for "client closed request". */
export function goneAnswer(): Response {
  return new Response(null, { status: 499 });
}
