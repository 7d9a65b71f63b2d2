/** Listens where HOST and PORT say, or tells which of them to change. */

/** The server can't listen there; the message says what to change. */
export class ListenError extends Error {
  override readonly name = "ListenError";
}

/** A host name or an address, and a TCP port; 0 takes any free one. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/**
 * Serves HTTP there, from now on.
 *
 * @throws {ListenError}
 */
export function listen(address: Address, answer: Deno.ServeHandler): Deno.HttpServer {
  try {
    const { host: hostname, port } = address;
    return Deno.serve({ port, hostname, onListen: () => {} }, answer);
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause;
    throw listenError(address, cause);
  }
}

/** What Deno throws where it can't listen, in words that name HOST and PORT. */
export function listenError({ host, port }: Address, cause: Error): ListenError {
  return new ListenError(
    `HOST is ${host} and PORT is ${port}, but ${whatToChange(cause)} (${cause.message})`,
    { cause },
  );
}

function whatToChange(cause: Error): string {
  if (cause instanceof Deno.errors.AddrInUse) {
    return "another program listens there: end it, or set PORT to another number";
  }
  if (cause instanceof Deno.errors.PermissionDenied) {
    return "this user may not listen there: set PORT to a number above 1023";
  }
  // Of a name that nobody knows and of what is no name Deno (2.9) has no class of error.
  return "that can't be listened on: set HOST to an address of this machine, or to 0.0.0.0 for all";
}
