/** The one way in which a request is refused. */
import type { Context } from "hono";
import { type ErrorBody, errorStatus, type ErrorWord } from "../protocol/errors.ts";

/** `{"error":word}` with the status of that word. */
export function refuse(c: Context, word: ErrorWord): Response {
  return c.json({ error: word } satisfies ErrorBody, errorStatus[word]);
}
