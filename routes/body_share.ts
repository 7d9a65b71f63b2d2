/** What bodies take of their user's share of memory. Behind `authenticate`. */
import type { MiddlewareHandler } from "hono";
import type { RequestLimits } from "../limits/request_limits.ts";
import type { Authenticated } from "./authenticate.ts";

/** Takes so many bytes more until the request has been answered; whether there are as many left. */
export type Hold = (bytes: number) => boolean;

/** What a route behind `bodyShare` can read. */
export interface WithShare {
  Variables: Authenticated["Variables"] & { hold: Hold };
}

/** A user's bodies take more at once than he may: 429, and later there may be room. */
export class NoShareLeftError extends Error {
  override readonly name = "NoShareLeftError";
}

/**
 * Sets `hold`, and gives back what was taken by it.
 *
 * @throws {NoShareLeftError} the user has as many bodies on their way as he may
 */
export function bodyShare(
  { unanswered, bodies }: Pick<RequestLimits, "unanswered" | "bodies">,
): MiddlewareHandler<WithShare> {
  return async function shareMemory(c, next): Promise<void> {
    const leave = c.req.raw.body === null ? (): void => {} : bodies.take(c.get("user"));
    if (leave === undefined) throw new NoShareLeftError("A user sends too many bodies at once");
    const share = unanswered.of(c.get("user"));
    let held = 0;
    c.set("hold", (bytes) => {
      if (!share.hold(bytes)) return false;
      held += bytes;
      return true;
    });
    try {
      await next();
    } finally {
      share.release(held);
      leave();
    }
  };
}

/** @throws {NoShareLeftError} */
export function mustHold(hold: Hold, bytes: number): void {
  if (!hold(bytes)) throw new NoShareLeftError("A user has too much in memory");
}

/** The chunks of a body that is kept in memory. @throws {NoShareLeftError} */
export async function* heldChunks(
  chunks: AsyncIterable<Uint8Array<ArrayBuffer>>,
  hold: Hold,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for await (const chunk of chunks) {
    mustHold(hold, chunk.length);
    yield chunk;
  }
}
