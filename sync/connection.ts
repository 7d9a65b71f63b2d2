/**
 * One socket of one graph. Frames are answered strictly in order, one at a time, whatever the
 * socket's events do: neither Deno nor Hono waits for a message to be dealt with before it hands
 * over the next. No method throws, since an exception in a socket's event ends the process
 * (platform.md §0.1).
 */
import { Buffer } from "node:buffer";
import { parseClientMessage, socketError } from "../protocol/client_message.ts";
import type { Generation, GraphId, T } from "../protocol/ids.ts";
import type { TxReject } from "../protocol/reject.ts";
import type { ServerMessage, TxBatchOk } from "../protocol/server_message.ts";
import {
  type EntriesAnswer,
  type HelloAnswer,
  helloAnswer,
  type Reached,
  reachedBy,
} from "../protocol/today/server_message.ts";
import type { EntriesBatch } from "../protocol/today/tx_batch.ts";
import type { TxBatch } from "../protocol/tx_batch.ts";
import { loggerFor } from "../telemetry/log.ts";
import { type CloseReason, closeReason } from "./close_codes.ts";
import type { Listener } from "./hub.ts";
import { Outbox, type OutboxLimits, type Share, type Socket } from "./outbox.ts";
import { type PulledLog, pullFrame } from "./pull_answer.ts";
import type { Guest } from "./room.ts";

/** What a connection asks of the graphs; each answers `undefined` where there is no such graph. */
export interface SyncOperations {
  /** The graph's current version, its checksum if today's clients use it, and which log it is of. */
  readonly version: (
    graph: GraphId,
  ) => Promise<(Reached & { readonly log: Generation }) | undefined>;
  /** The log after `since`. */
  readonly pull: (graph: GraphId, since: T) => Promise<PulledLog | undefined>;
  /** Stores a batch and tells the other sockets, or refuses it. */
  readonly txBatch: (
    graph: GraphId,
    batch: TxBatch,
    sender?: object,
  ) => Promise<TxBatchOk | TxReject | undefined>;
  /** The same for a batch of entries. */
  readonly txEntries: (
    graph: GraphId,
    batch: EntriesBatch,
    sender?: object,
  ) => Promise<EntriesAnswer | undefined>;
  /** This socket has sent what only today's clients send. */
  readonly speaksToday: (guest: Guest) => void;
  /** The user of this socket edits a block, or none. No answer. */
  readonly edit: (guest: Guest, block: string | undefined) => void;
}

/** What a connection says: in the seed's dialect, or in today's where that is another. */
type Message = ServerMessage | HelloAnswer | EntriesAnswer;

/**
 * The bounds of one connection. Bytes are UTF-8. While its client has unread messages, nothing is dealt
 * with and nothing sent; an answer may be longer (a pull). One that is given up gets 1013.
 */
export interface ConnectionLimits extends OutboxLimits {
  /** A longer message closes the socket with 1009. Deno's own limit is on a frame, not a message. */
  readonly maxMessageBytes: number;
  /** More than this waiting to be dealt with closes the socket with 1008. */
  readonly maxWaitingFrames: number;
}

/** What a connection asks of whoever opened it, and tells him. */
export interface ConnectionHooks {
  /**
   * A frame is dealt with when this has settled: a user who sends more than he may is answered later,
   * never refused, as a client that is told of an error stops syncing. Then what waits is bounded by
   * ConnectionLimits and `share`.
   */
  readonly turn: () => Promise<void>;
  /**
   * What a frame takes from its coming until it is dealt with. Where it has no room the socket is
   * closed with 1008.
   */
  readonly share: Share;
  /** What a pull's answer takes (Outbox.hold). Where it has no room the socket is closed with 1013. */
  readonly unread: Share;
  /** Does a pull when its turn has come: of a user's answers that are read slowly only a few are made. */
  readonly pulling: (pull: () => Promise<void>) => Promise<void>;
  /** Called once if the server ends the socket: its client may take long to answer that, or never do. */
  readonly onEnd: () => void;
  /** Called once, when the socket has closed and the last frame is dealt with. */
  readonly onGone: () => void;
}

const MIB = 1024 * 1024;

/**
 * What a frame that waits takes of its user's share beside its text: four million that say nothing, which his
 * sockets may have waiting, took 320 MB.
 */
export const FRAME_BYTES = 100;

/** A client keeps one batch in flight, so these are far from what a working one does. */
export const CONNECTION_LIMITS: ConnectionLimits = Object.freeze({
  maxMessageBytes: 64 * MIB,
  maxWaitingFrames: 16_384,
  maxUnreadBytes: MIB,
  maxStalledBytes: 8 * MIB,
  stallMs: 5000,
});

const log = loggerFor("connection");

/** See the module's comment. Life: constructed at the upgrade, `gone` called when the socket closed. */
export class Connection implements Listener, Guest {
  readonly #out: Outbox;
  readonly #graph: GraphId;
  readonly #operations: SyncOperations;
  readonly #limits: ConnectionLimits;
  readonly #hooks: ConnectionHooks;
  /** Texts, and `undefined` for a binary frame, whose refusal keeps its place in the order. */
  readonly #waiting: { readonly text: string | undefined; readonly bytes: number }[] = [];
  #busy = false;
  /** Whether the client has said something that the seed's don't. */
  #isTodays = false;
  /** How it ends when all that has come in is answered; from then on nothing comes in. */
  #leaving: CloseReason | undefined;
  #gone = false;
  /** The greatest version that the client was told, and the greatest that there is news of. */
  #toldT: T | -1 = -1;
  #newsT: T | undefined;
  /** The log that the client was told a version of at its hello: that of another can't be compared. */
  #log: Generation | undefined;
  /** Tells who is here, for a client that couldn't take the news when it came. */
  #latePeople: (() => string) | undefined;

  constructor(
    socket: Socket,
    graph: GraphId,
    operations: SyncOperations,
    hooks: ConnectionHooks,
    limits: ConnectionLimits = CONNECTION_LIMITS,
  ) {
    this.#out = new Outbox(socket, graph, limits, hooks.unread);
    this.#graph = graph;
    this.#operations = operations;
    this.#hooks = hooks;
    this.#limits = limits;
  }

  /** A message came in: `data` of the socket's event. Returns at once. */
  receive(data: unknown): void {
    if (this.#out.closed || this.#leaving !== undefined) return;
    const text = typeof data === "string" ? data : undefined;
    const length = text === undefined ? 0 : Buffer.byteLength(text);
    if (length > this.#limits.maxMessageBytes) return this.#end(closeReason.tooLarge);
    const bytes = FRAME_BYTES + length;
    if (
      this.#waiting.length >= this.#limits.maxWaitingFrames || !this.#hooks.share.hold(bytes)
    ) {
      return this.#end(closeReason.flooding);
    }
    this.#waiting.push({ text, bytes });
    if (!this.#busy) void this.#work();
  }

  /**
   * Sends `changed`, unless the client was already told of this version or a later one. While a
   * frame is being dealt with the news waits: its answer may tell the same, and nothing may come
   * between a hello and its answer.
   */
  changed(t: T): void {
    if (t <= this.#toldT || this.#out.closed) return;
    if (this.#newsT === undefined || t > this.#newsT) this.#newsT = t;
    if (this.#busy) return;
    if (this.#out.hasUnread) void this.#work();
    else this.#sendNews();
  }

  /**
   * The same for a version that may be old news. A client that was told none has nothing to compare
   * with: its hello will tell it. One that was told a version of another log has missed a reset.
   */
  compare(t: T, log: Generation): void {
    if (this.#log !== undefined && log !== this.#log) {
      return this.#end(closeReason.reset);
    }
    if (this.#toldT >= 0) this.changed(t);
  }

  remind(t: T, log: Generation): void {
    const isKnown = t === this.#toldT;
    this.compare(t, log);
    if (!isKnown) return;
    if (!this.#out.closed && !this.#busy && !this.#out.hasUnread) {
      this.#send({ type: "changed", t });
    }
  }

  people(news: string, all: () => string): void {
    if (this.#out.closed) return;
    if (!this.#out.hasUnread) return this.#send(news);
    this.#latePeople = all;
    if (!this.#busy) void this.#work();
  }

  close(reason: CloseReason): void {
    this.#end(reason);
  }

  leave(reason: CloseReason): void {
    this.#leaving ??= reason;
    if (!this.#busy) this.#end(this.#leaving);
  }

  /** The socket has closed, by whomever. Idempotent: Deno may report it twice (platform.md §2). */
  gone(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#out.gone();
    this.#forget();
    if (!this.#busy) this.#hooks.onGone();
  }

  /**
   * All that waits: frames, then news. Each has to be read, or nearly, before the next is sent.
   * Between the last look at what waits and the end of being busy there is no turn of others.
   */
  async #work(): Promise<void> {
    this.#busy = true;
    try {
      if (this.#out.hasUnread) await this.#read();
      for (let frame = this.#waiting.shift(); frame; frame = this.#waiting.shift()) {
        try {
          await this.#hooks.turn();
          // Meanwhile its user may have been put out, or his token have expired.
          if (this.#out.closed) break;
          await this.#answer(frame.text);
        } finally {
          this.#hooks.share.release(frame.bytes);
        }
        await this.#read();
        this.#sendNews();
      }
    } catch (cause) {
      log.error("Cannot go on with a connection of {graph}", { graph: this.#graph, cause });
      this.#end(closeReason.fault);
    }
    this.#busy = false;
    if (this.#gone) return this.#hooks.onGone();
    this.#sendNews();
    if (this.#leaving !== undefined) this.#end(this.#leaving);
  }

  async #answer(text: string | undefined): Promise<void> {
    try {
      const parsed = text === undefined ? undefined : parseClientMessage(text);
      if (parsed === undefined) return this.#send(socketError("invalid request"));
      if (!parsed.ok) return this.#send(parsed.answer);
      const { message } = parsed;
      switch (message.type) {
        case "hello": {
          const version = await this.#operations.version(this.#graph);
          if (version === undefined) return this.#tell(undefined, undefined);
          const { log, ...reached } = version;
          // Today's clients use the graph, so this may be one that only reads.
          if (reached.checksum !== undefined) this.#isTodays = true;
          this.#log = log;
          return this.#tell(reached.t, helloAnswer(reached));
        }
        case "ping":
          return this.#send({ type: "pong" });
        case "pull":
          return await this.#hooks.pulling(() => this.#pull(message.since));
        case "tx/batch": {
          const answer = await this.#operations.txBatch(this.#graph, message, this);
          return this.#tell(answer?.type === "tx/batch/ok" ? answer.t : undefined, answer);
        }
        case "tx/batch of entries":
          this.#isTodays = true;
          this.#operations.speaksToday(this);
          return this.#tellReached(
            await this.#operations.txEntries(this.#graph, message.batch, this),
          );
        case "presence":
          this.#isTodays = true;
          return this.#operations.edit(this, message["editing-block-uuid"]);
        default:
          return message satisfies never;
      }
    } catch (cause) {
      log.error("Cannot answer a frame for {graph}", { graph: this.#graph, cause });
      // A reject would have one of today's take its work back, and after an `error` it neither sends nor
      // pulls any more on this socket. Of one that ends, it sends the same again on the next.
      if (this.#isTodays) this.#end(closeReason.fault);
      else this.#send(socketError("server error"));
    }
  }

  /** Ends when the client has read the answer, or nearly, or has stopped reading: others wait for it. */
  async #pull(since: T): Promise<void> {
    if (this.#out.closed) return;
    const pulled = await this.#operations.pull(this.#graph, since);
    const frame = pulled && await pullFrame(pulled);
    if (frame !== undefined && !this.#out.hold(frame.text)) return this.#end(closeReason.slow);
    this.#tell(pulled?.t, frame?.text);
    // Who hasn't got all pulls the rest when he hears of it (upstream.md §2.2).
    if (pulled !== undefined && frame?.t !== pulled.t) {
      this.#send({ type: "changed", t: pulled.t });
    }
    await this.#read("or stalled");
  }

  /** Sends an answer that tells version `t`; no answer means that the graph is no more. */
  #tell(t: T | undefined, answer: Message | string | undefined): void {
    if (answer === undefined) return this.#end(closeReason.deleted);
    this.#send(answer);
    if (t !== undefined && t > this.#toldT) this.#toldT = t;
  }

  /**
   * The same for a batch of entries, which may have been stored in part, or long ago: a client that
   * was told of a later version is told of it again, or it would wait for the next one.
   */
  #tellReached(answer: EntriesAnswer | undefined): void {
    const t = answer === undefined ? undefined : reachedBy(answer);
    const told = this.#toldT;
    this.#tell(t, answer);
    if (t !== undefined && told !== -1 && t < told) this.#send({ type: "changed", t: told });
  }

  #sendNews(): void {
    const people = this.#latePeople;
    this.#latePeople = undefined;
    if (people !== undefined) this.#send(people());
    const t = this.#newsT;
    if (t === undefined) return;
    this.#newsT = undefined;
    if (t <= this.#toldT) return;
    this.#toldT = t;
    this.#send({ type: "changed", t });
  }

  #send(message: Message | string): void {
    this.#out.send(message);
  }

  /** As Outbox.read, and ends with a client that is given up. */
  async #read(end?: "or stalled"): Promise<void> {
    if (await this.#out.read(end) === "given up") this.#end(closeReason.slow);
  }

  #end(reason: CloseReason): void {
    if (this.#out.closed) return;
    this.#out.close(reason);
    this.#forget();
    this.#hooks.onEnd();
  }

  /** Nothing is dealt with any more. */
  #forget(): void {
    for (const { bytes } of this.#waiting.splice(0)) this.#hooks.share.release(bytes);
  }
}
