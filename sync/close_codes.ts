/** With which code and reason a socket is closed, and why. 4000 and up are ours (RFC 6455 §7.4.2). */

/** As WebSocket has them. */
export interface CloseReason {
  readonly code: number;
  readonly reason: string;
}

/** Every reason that the server has to end a socket. */
export const closeReason = {
  /** The process ends; clients reconnect. */
  shutdown: { code: 1001, reason: "server shutting down" },
  /** More frames are waiting than a client has any use for. */
  flooding: { code: 1008, reason: "too many frames waiting" },
  /** A message above the limit. */
  tooLarge: { code: 1009, reason: "message too large" },
  /** A fault of ours, to a client that would wait for ever after an `error`; it reconnects. */
  fault: { code: 1011, reason: "server error" },
  /** The graph starts again at t = 0; clients reconnect and say hello. */
  reset: { code: 1012, reason: "graph reset" },
  /** The client has stopped reading; it may come back. */
  slow: { code: 1013, reason: "too slow a reader" },
  /** The token that opened the socket has ended; a client with a new one reconnects. */
  expired: { code: 4401, reason: "token expired" },
  /** The user was put out of the graph's members. */
  removed: { code: 4403, reason: "no longer a member" },
  /** There is no such graph any more. */
  deleted: { code: 4404, reason: "graph deleted" },
} as const satisfies Readonly<Record<string, CloseReason>>;
