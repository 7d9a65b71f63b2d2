/** `GET /sync/:id` with an upgrade: ties a WebSocket's events to a connection. */
import type { GraphId } from "../protocol/ids.ts";
import { Connection, type SyncOperations } from "../sync/connection.ts";
import type { Hub } from "../sync/hub.ts";
import type { Guest } from "../sync/room.ts";
import { loggerFor } from "../telemetry/log.ts";

/** A socket silent for half of this gets a ping frame, and is closed if nothing comes at all. */
const IDLE_TIMEOUT_SECONDS = 120;

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

/**
 * Upgrades; the caller has checked who asks and for which graph. From its opening on the socket is in
 * the hub.
 *
 * @param enter called at its opening; what it returns, when it has closed
 */
export function openSocket(
  request: Request,
  graph: GraphId,
  hub: Hub,
  operations: SyncOperations,
  enter: (guest: Guest) => () => void,
): Response {
  const { socket, response } = Deno.upgradeWebSocket(request, {
    idleTimeout: IDLE_TIMEOUT_SECONDS,
  });
  const connection = new Connection(
    socket,
    graph,
    operations,
    () => {
      hub.delete(graph, connection);
      leave();
    },
  );
  let leave = (): void => {};
  socket.onopen = (): void => {
    hub.add(graph, connection);
    leave = enter(connection);
  };
  socket.onmessage = (event): void => connection.receive(event.data);
  socket.onclose = (): void => connection.gone();
  socket.onerror = (event): void => {
    // The close event follows. Unhandled, the error would be printed with no graph beside it.
    event.preventDefault();
    const reason = event instanceof ErrorEvent ? event.message : event.type;
    log.debug("A socket of {graph} failed: {reason}", { graph, reason });
  };
  return response;
}
