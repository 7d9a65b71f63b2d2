/** The one way in which a request is refused. */
import type { Context } from "hono";
import { type ErrorBody, errorStatus, type ErrorWord } from "../protocol/errors.ts";

/** `{"error":word}` with the status of that word. */
export function refuse(
  c: Context,
  word: ErrorWord,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return c.json({ error: word } satisfies ErrorBody, errorStatus[word], headers);
}

/**
 * The same for what may be granted later.
 *
 * @param ms rounded up to the seconds of `retry-after`, which pages of other origins may read
 */
export function refuseFor(c: Context, word: ErrorWord, ms: number): Response {
  return refuse(c, word, {
    "retry-after": String(Math.max(1, Math.ceil(ms / 1000))),
    "access-control-expose-headers": "retry-after",
  });
}
