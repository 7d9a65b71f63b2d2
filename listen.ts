/** Listens where HOST and PORT say, or tells which of them to change; and goes on with it. */
import type { ErrorBody } from "./protocol/errors.ts";
import { settledWithin } from "./sync/patience.ts";

/** So long after Deno has ceased to listen it is tried again: connections have to end first. */
const AGAIN_MS = 1000;
/**
 * So long shutting down waits for what is being answered: once Deno (2.9) shuts down, the rest of a
 * request's body can't be read any more ("underlying resource unavailable").
 */
const ANSWERS_MS = 1000;

/** The server can't listen there; the message says what to change. */
export class ListenError extends Error {
  override readonly name = "ListenError";
}

/** A host name or an address, and a TCP port; 0 takes any free one. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** A server that listens until it is shut down. */
export interface Listening {
  readonly addr: Deno.Addr;
  /** Takes no connection any more, and answers once all requests are answered. */
  readonly shutdown: () => Promise<void>;
}

/**
 * Serves HTTP there, from now on. Where Deno (2.9) can't accept a connection, as when there are too many
 * (EMFILE), it ceases to listen for good, while those that there are go on: then this listens anew.
 *
 * @param lost told each time that it has ceased to, or that it can't listen again yet
 * @throws {ListenError}
 */
export function listen(
  address: Address,
  answer: Deno.ServeHandler,
  lost: (cause: unknown) => void = () => {},
): Listening {
  const underWay = new Set<Promise<unknown>>();
  /** From now on no body is read to its end. */
  let cutsOff = false;
  const followed: Deno.ServeHandler = (request, info) => {
    // Deno (2.9) tells only a signal that is there already that the client has gone (routes/gone.ts).
    void request.signal;
    const answered = Promise.resolve(answer(request, info))
      .then((response) => cutsOff && response.status === 400 ? againLater(response) : response);
    const ended = answered.catch(() => {}).finally(() => underWay.delete(ended));
    underWay.add(ended);
    return answered;
  };
  const first = serve(address, followed);
  const { addr } = first;
  // Clients know what PORT 0 has become.
  const samePlace = "port" in addr ? { ...address, port: addr.port } : address;
  // Those that have ceased, too: there are requests of theirs to be answered.
  const servers = [first];
  let leaving = false;

  const goOn = async (): Promise<void> => {
    for (let server: Deno.HttpServer | undefined = first; !leaving; server = undefined) {
      try {
        if (server === undefined) servers.push(server = serve(samePlace, followed));
        return await server.finished;
      } catch (cause) {
        lost(cause);
      }
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  };
  void goOn();
  return {
    addr,
    shutdown: async () => {
      leaving = true;
      await settledWithin(ANSWERS_MS, Promise.all(underWay));
      cutsOff = true;
      await Promise.all(servers.map((server) => server.shutdown()));
    },
  };
}

/**
 * In the place of what says that a body is the client's fault, where it may be we who cut it off: whoever
 * sends it again, as a proxy may, finds another server, or this one once it is back.
 */
function againLater({ headers }: Response): Response {
  return Response.json({ error: "not ready" } satisfies ErrorBody, {
    status: 503,
    headers: [...headers].filter(([name]) => name !== "content-length"),
  });
}

/** @throws {ListenError} */
function serve(address: Address, answer: Deno.ServeHandler): Deno.HttpServer {
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
