/** `GET /sync/:id` with an upgrade: ties a WebSocket's events to a connection. */
import type { GraphId } from "../protocol/ids.ts";
import { closeReason } from "../sync/close_codes.ts";
import { Connection, type ConnectionHooks, type SyncOperations } from "../sync/connection.ts";
import type { Hub } from "../sync/hub.ts";
import type { Guest } from "../sync/room.ts";
import { loggerFor } from "../telemetry/log.ts";
import { setAlarm } from "./alarm.ts";

/**
 * A socket silent for half of this gets a ping frame, and is closed if nothing comes at all. Proxies that
 * nobody has told otherwise cut silent ones off after 50 s (HAProxy in Debian) or 60 (nginx).
 */
const IDLE_TIMEOUT_SECONDS = 80;
/** So long a socket whose network was lost can still count as one of its user's. */
export const DEAD_SOCKET_MS = IDLE_TIMEOUT_SECONDS * 1000;

/**
 * For a client that goes between its request and the opening, Deno has no event at all, neither of
 * the socket nor of the request: then it counts as gone after this. Of some (Deno 2.9) the file descriptor
 * stays for ever. So it is long: who goes at the right moment again and again costs as many as he may have
 * sockets, and not a dozen a second.
 */
const OPENING_MS = 10 * 60 * 1000;

/**
 * For a client that doesn't answer our close, Deno has no event for as long as its TCP lasts: from then
 * on it counts as gone, but as one of its user's sockets.
 */
const CLOSING_MS = 10_000;

const log = loggerFor("socket");

/** Whether a request has all that `Deno.upgradeWebSocket` asks for (RFC 6455 §4.1). */
export function isUpgrade(request: Request): boolean {
  const tokens = (name: string): readonly string[] =>
    (request.headers.get(name) ?? "").toLowerCase().split(",").map((token) => token.trim());
  return request.method === "GET" &&
    tokens("upgrade").includes("websocket") &&
    tokens("connection").includes("upgrade") &&
    request.headers.has("sec-websocket-key");
}

/** Whom a socket is for, and until when. */
export interface SocketGuest extends Omit<ConnectionHooks, "onEnd" | "onGone"> {
  /** Ms since the epoch; without it the socket may stay. */
  readonly until?: number;
  /** Called at its opening; what it returns, when it has closed and its last frame is dealt with. */
  readonly enter: (connection: Guest) => () => void;
  /** Called once the socket has closed, or will never open; it may be called twice. */
  readonly leave: () => void;
}

/** How long Deno's silence is waited for. */
export interface SocketTimes {
  readonly openingMs?: number;
  readonly closingMs?: number;
}

/** Upgrades; the caller has checked who asks and for which graph. From its opening on the socket is in the hub. */
export function openSocket(
  request: Request,
  graph: GraphId,
  hub: Hub,
  operations: SyncOperations,
  { until, enter, leave, ...hooks }: SocketGuest,
  { openingMs = OPENING_MS, closingMs = CLOSING_MS }: SocketTimes = {},
): Response {
  let exit = (): void => {};
  let callOff = after(openingMs, leave);
  let callOffGone = (): void => {};
  const { socket, response } = Deno.upgradeWebSocket(request, {
    idleTimeout: IDLE_TIMEOUT_SECONDS,
  });
  const connection = new Connection(
    socket,
    graph,
    operations,
    {
      ...hooks,
      onEnd: () => {
        callOffGone = after(closingMs, remove);
      },
      onGone: () => {
        callOffGone();
        remove();
      },
    },
  );
  const remove = (): void => {
    hub.delete(graph, connection);
    exit();
  };
  socket.onopen = (): void => {
    hub.add(graph, connection);
    exit = enter(connection);
    callOff();
    if (until !== undefined) {
      callOff = setAlarm(until, () => connection.close(closeReason.expired));
    }
  };
  socket.onmessage = (event): void => connection.receive(event.data);
  socket.onclose = (): void => {
    callOff();
    leave();
    connection.gone();
  };
  socket.onerror = (event): void => {
    // The close event follows. Unhandled, the error would be printed with no graph beside it.
    event.preventDefault();
    const reason = event instanceof ErrorEvent ? event.message : event.type;
    log.debug("A socket of {graph} failed: {reason}", { graph, reason });
  };
  return response;
}

/** By a timer alone, whatever becomes of the clock. @returns calls it off */
function after(ms: number, call: () => void): () => void {
  const timer = setTimeout(call, ms);
  return () => clearTimeout(timer);
}
