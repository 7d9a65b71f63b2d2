/**
 * Reads a JSON body: whole, as text, up to a limit that holds while reading, so that neither a
 * missing nor a false Content-Length gets more into memory.
 */
import type { MiddlewareHandler } from "hono";
import { MAX_BODY_BYTES } from "../protocol/http.ts";
import { refuse } from "./refuse.ts";

/** A body as it came: none at all, not JSON, or some JSON value that nobody has looked at. */
export type JsonBody =
  | { readonly kind: "missing" }
  | { readonly kind: "malformed" }
  | { readonly kind: "json"; readonly value: unknown };

/** What a route behind `jsonBody` can read. */
export interface WithBody {
  Variables: { body: JsonBody };
}

/** 413 for more than `maxBytes`; else sets `body`. What else is wrong with it is the route's to say. */
export function jsonBody(maxBytes: number = MAX_BODY_BYTES): MiddlewareHandler<WithBody> {
  return async function readJsonBody(c, next): Promise<Response | void> {
    const text = await readText(c.req.raw, maxBytes);
    if (text === "too large") return refuse(c, "body too large");
    c.set("body", parse(text));
    await next();
  };
}

async function readText(
  request: Request,
  maxBytes: number,
): Promise<{ text: string | undefined } | "too large"> {
  if (Number(request.headers.get("content-length")) > maxBytes) return "too large";
  if (request.body === null) return { text: "" };
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let bytes = 0;
  let text: string | undefined = "";
  for await (const chunk of request.body) {
    bytes += chunk.length;
    if (bytes > maxBytes) return "too large"; // leaving the loop cancels the stream
    text = decoded(decoder, text, chunk);
  }
  return { text: decoded(decoder, text) };
}

/** `text` and one chunk more, or the end without one; `undefined` once it is not UTF-8. */
function decoded(
  decoder: TextDecoder,
  text: string | undefined,
  chunk?: Uint8Array<ArrayBuffer>,
): string | undefined {
  if (text === undefined) return undefined;
  try {
    return text +
      (chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true }));
  } catch {
    // TypeError: the client's bytes are not UTF-8, so they are not JSON either.
    return undefined;
  }
}

function parse({ text }: { text: string | undefined }): JsonBody {
  if (text === "") return { kind: "missing" };
  if (text === undefined) return { kind: "malformed" };
  try {
    return { kind: "json", value: JSON.parse(text) };
  } catch {
    // SyntaxError: the client's text.
    return { kind: "malformed" };
  }
}
