/**
 * How many long answers of a user are made and sent at once: each is work and memory from its first look
 * into the store until its client has read it, and a client may ask for a thousand and read none.
 */
import type { MiddlewareHandler } from "hono";
import type { AtOnce } from "../limits/at_once.ts";
import type { Authenticated } from "./authenticate.ts";
import { goneAnswer, hasGone } from "./gone.ts";

/** A client that takes nothing for so long is cut off (nginx's `send_timeout`): others of its user wait. */
const STALL_MS = 60_000;

/**
 * What a client has to take by then. A row or an entry may have megabytes, and comes as one piece; most
 * pieces are of some 64 KiB, and go on as they are.
 */
const PIECE_BYTES = 256 * 1024;

/**
 * Goes on when one of the user's places is free, and gives it back when the answer has been read, or its
 * client has gone or stopped reading.
 */
export function answersAtOnce(
  answers: AtOnce,
  stallMs: number = STALL_MS,
): MiddlewareHandler<Authenticated> {
  return async function takePlace(c, next): Promise<Response | void> {
    const leave = await answers.enter(c.get("user"));
    if (hasGone(c.req.raw)) {
      leave();
      return goneAnswer();
    }
    try {
      await next();
    } catch (cause) {
      leave();
      throw cause;
    }
    const { body, ok } = c.res;
    if (body === null || !ok) return leave();
    // It comes here as a GET. Nobody reads its body, so a file would stay open.
    if (c.req.raw.method === "HEAD") {
      leave();
      return await body.cancel();
    }
    c.res = new Response(watched(body, stallMs, leave), c.res);
  };
}

/** The same body; `leave` is called when it has been read, or nobody goes on reading it. */
function watched(
  body: ReadableStream<Uint8Array>,
  stallMs: number,
  leave: () => void,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  /** What was read and hasn't been handed on. */
  let left: Uint8Array = new Uint8Array();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const end = (): void => {
    clearTimeout(timer);
    leave();
  };
  const wait = (controller: ReadableStreamDefaultController<Uint8Array>): void => {
    timer = setTimeout(() => {
      leave();
      controller.error(new Error(`Cannot wait longer than ${stallMs} ms for a client to read on`));
      reader.cancel().catch(() => {});
    }, stallMs);
  };
  return new ReadableStream<Uint8Array>({
    start: wait,
    async pull(controller): Promise<void> {
      clearTimeout(timer);
      try {
        if (left.length === 0) {
          const { done, value } = await reader.read();
          if (done) {
            end();
            return controller.close();
          }
          left = value;
        }
        controller.enqueue(left.subarray(0, PIECE_BYTES));
        left = left.subarray(PIECE_BYTES);
        wait(controller);
      } catch (cause) {
        end();
        controller.error(cause);
      }
    },
    async cancel(reason): Promise<void> {
      end();
      await reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
}
