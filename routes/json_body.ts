/**
 * Reads a JSON body: whole, as text, up to a limit that holds while reading, so that neither a
 * missing nor a false Content-Length gets more into memory.
 */
import type { MiddlewareHandler } from "hono";
import { parseJson } from "../protocol/json.ts";
import { bodyChunks, BodyCutOffError } from "./body_chunks.ts";
import { heldChunks, type Hold } from "./body_share.ts";
import { refuse } from "./refuse.ts";

/** A body as it came: none; no JSON, cut off, or nested too deeply; or a value that nobody has looked at. */
export type JsonBody =
  | { readonly kind: "missing" }
  | { readonly kind: "malformed" }
  | { readonly kind: "json"; readonly value: unknown };

/** What a route behind `jsonBody` can read. */
export interface WithBody {
  Variables: { body: JsonBody; hold: Hold };
}

/**
 * Behind `bodyShare`: 413 for more than `maxBytes`; else sets `body`. What else is wrong with it is the
 * route's to say.
 */
export function jsonBody(maxBytes: number): MiddlewareHandler<WithBody> {
  return async function readJsonBody(c, next): Promise<Response | void> {
    const text = await readText(c.req.raw, maxBytes, c.get("hold"));
    if (text === "too large") return refuse(c, "body too large");
    c.set("body", text === "cut off" ? { kind: "malformed" } : parse(text));
    await next();
  };
}

async function readText(
  request: Request,
  maxBytes: number,
  hold: Hold,
): Promise<{ text: string | undefined } | BodyFault> {
  // Bytes until the end: text is up to twice as large, and put together from pieces twice that.
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  const whole = await readBytes(request, maxBytes, hold, (chunk) => {
    chunks.push(chunk);
    return true;
  });
  return typeof whole === "string" ? whole : { text: decoded(await new Blob(chunks).bytes()) };
}

/** `cut off`: the client has gone before its end. */
export type BodyFault = "too large" | "cut off";

/**
 * Reads a body as it comes, up to a limit that holds while reading.
 *
 * @param take gets each chunk, and answers whether it wants more
 * @returns how many bytes were taken
 * @throws {NoShareLeftError}
 */
export async function readBytes(
  request: Request,
  maxBytes: number,
  hold: Hold,
  take: (chunk: Uint8Array<ArrayBuffer>) => boolean,
): Promise<number | BodyFault> {
  if (Number(request.headers.get("content-length")) > maxBytes) return "too large";
  let bytes = 0;
  try {
    for await (const chunk of heldChunks(bodyChunks(request), hold)) {
      bytes += chunk.length;
      // Leaving the loop cancels the stream.
      if (bytes > maxBytes) return "too large";
      if (!take(chunk)) break;
    }
  } catch (thrown) {
    if (!(thrown instanceof BodyCutOffError)) throw thrown;
    return "cut off";
  }
  return bytes;
}

/** `undefined` for what is not UTF-8. */
function decoded(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    // TypeError: the client's bytes are not UTF-8, so they are not JSON either.
    return undefined;
  }
}

function parse({ text }: { text: string | undefined }): JsonBody {
  if (text === "") return { kind: "missing" };
  if (text === undefined) return { kind: "malformed" };
  const value = parseJson(text);
  return value === undefined ? { kind: "malformed" } : { kind: "json", value };
}
