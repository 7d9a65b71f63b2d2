/**
 * What a socket's client is sent, and what it has still to read. The platform keeps whatever a client
 * doesn't read in memory, so whoever sends much waits here until it has been read, or gives the client
 * up.
 */
import { Buffer } from "node:buffer";
import type { GraphId } from "../protocol/ids.ts";
import { loggerFor } from "../telemetry/log.ts";
import type { CloseReason } from "./close_codes.ts";

/** What an outbox needs of a WebSocket. */
export type Socket = Pick<WebSocket, "readyState" | "bufferedAmount" | "send" | "close">;

/** Bytes are UTF-8. */
export interface OutboxLimits {
  /** A client that has more than this still to read has unread messages. */
  readonly maxUnreadBytes: number;
  /** One who has more than this to read, and has stopped reading, is given up. */
  readonly maxStalledBytes: number;
  /** A client that takes no byte for so long has stopped reading. */
  readonly stallMs: number;
}

/** What a user may take of memory, on all his sockets: bytes of UTF-8. */
export interface Share {
  /** So many bytes more; whether there is room for them. */
  readonly hold: (bytes: number) => boolean;
  readonly release: (bytes: number) => void;
}

/** The platform tells nobody that a socket's buffer has drained, so it is looked at this often. */
const DRAIN_POLL_MS = 20;

const log = loggerFor("connection");

/** No method throws. Life: as its connection's (connection.ts). */
export class Outbox {
  readonly #socket: Socket;
  readonly #graph: GraphId;
  readonly #limits: OutboxLimits;
  readonly #share: Share;
  #closed = false;
  /** Of the share. */
  #held = 0;

  /** @param share what is held of answers until they are read, or nearly */
  constructor(socket: Socket, graph: GraphId, limits: OutboxLimits, share: Share) {
    this.#socket = socket;
    this.#graph = graph;
    this.#limits = limits;
    this.#share = share;
  }

  /** Nothing more is sent. */
  get closed(): boolean {
    return this.#closed;
  }

  get hasUnread(): boolean {
    return this.#socket.bufferedAmount > this.#limits.maxUnreadBytes;
  }

  /** @param message a value that is JSON, or its text */
  send(message: object | string): void {
    if (this.#closed || this.#socket.readyState !== WebSocket.OPEN) return;
    try {
      this.#socket.send(typeof message === "string" ? message : JSON.stringify(message));
    } catch (cause) {
      // The peer went between the check and the send; the socket's close event follows.
      log.debug("Cannot send to a socket of {graph}", { graph: this.#graph, cause });
    }
  }

  /**
   * Whether there is room for a long answer, and anybody to send it to. It is held until it is read, or
   * nearly, or the socket is gone: one that is closed has it in memory until then.
   */
  hold(answer: string): boolean {
    if (this.#closed) return false;
    const bytes = Buffer.byteLength(answer);
    const hasRoom = this.#share.hold(bytes);
    if (hasRoom) this.#held += bytes;
    else {
      log.info("Cannot send {bytes} to a socket of {graph} as its user leaves too much unread", {
        graph: this.#graph,
        bytes,
      });
    }
    return hasRoom;
  }

  /**
   * Waits for the client to read what it was sent, or for the end.
   *
   * @param end whether it is enough that it has stopped
   * @returns whether it is to be given up: it has stopped, and that is too much to keep
   */
  async read(end: "read" | "or stalled" = "read"): Promise<"given up" | undefined> {
    let unread = this.#socket.bufferedAmount;
    let stalledMs = 0;
    while (!this.#closed && this.hasUnread) {
      const hasStalled = stalledMs >= this.#limits.stallMs;
      if (hasStalled && unread > this.#limits.maxStalledBytes) {
        log.info("Gave up a socket of {graph} whose client left {unread} bytes unread", {
          graph: this.#graph,
          unread,
        });
        return "given up";
      }
      if (hasStalled && end === "or stalled") return undefined;
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
      stalledMs = this.#socket.bufferedAmount < unread ? 0 : stalledMs + DRAIN_POLL_MS;
      unread = this.#socket.bufferedAmount;
    }
    if (!this.#closed) this.#release();
    return undefined;
  }

  /** Sends nothing more. Idempotent. */
  close({ code, reason }: CloseReason): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      this.#socket.close(code, reason);
    } catch (cause) {
      // Already closed by the peer: what was wanted.
      log.debug("Cannot close a socket of {graph}", { graph: this.#graph, cause });
    }
  }

  /** The socket has closed, and keeps nothing in memory. */
  gone(): void {
    this.#closed = true;
    this.#release();
  }

  #release(): void {
    this.#share.release(this.#held);
    this.#held = 0;
  }
}
