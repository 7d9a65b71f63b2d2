/** A request's body as it comes. */

/** The client has gone, or has sent less than it said: no fault of ours. */
export class BodyCutOffError extends Error {
  override readonly name = "BodyCutOffError";
}

/** @throws {BodyCutOffError} the body has broken off before its end */
export async function* bodyChunks(request: Request): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  try {
    yield* request.body ?? [];
  } catch (cause) {
    throw new BodyCutOffError("Cannot read a body to its end", { cause });
  }
}
