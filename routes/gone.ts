/**
 * Clients that went before their answer. Deno (2.9) tells of them by a request's signal, if that was
 * asked for before they went: listen.ts does.
 */

import { nextTurn } from "../sync/next_turn.ts";

/** Whether nobody waits for the answer any more. */
export function hasGone(request: Request): boolean {
  return request.signal.aborted;
}

/**
 * The same of a client that went before this process came to read its request, as a proxy does that has
 * sent it to another meanwhile: that is known some turns later. For what would take something away from
 * those who went on there.
 */
export async function wentBefore(request: Request): Promise<boolean> {
  for (let turn = 0; turn < 3 && !hasGone(request); turn++) await nextTurn();
  return hasGone(request);
}

/** For the log: nobody reads it. 499 is nginx's for "client closed request". */
export function goneAnswer(): Response {
  return new Response(null, { status: 499 });
}
