/**
 * A client's end of `/sync/:graph-id`. npm's `ws`, since Deno's own client stalls on middle-sized
 * messages (platform.md §0.9). Every frame from the server goes through `parseServerMessage`.
 */
import { Buffer } from "node:buffer";
import type { IncomingHttpHeaders } from "node:http";
// @ts-types="@types/ws"
import WebSocket from "ws";
import { parseServerMessage, type ServerMessage } from "../../protocol/server_message.ts";
import { within } from "./deadline.ts";

/** How a socket ended, as this client saw it. */
export interface Closed {
  readonly code: number;
  readonly reason: string;
}

/** An upgrade that the server refused. */
export class UpgradeRefused extends Error {
  constructor(
    readonly status: number,
    readonly headers: Readonly<IncomingHttpHeaders>,
    readonly body: string,
  ) {
    super(`Cannot open a socket as the server answered ${status}: ${body}`);
  }
}

/** @typeParam Message what this client takes for a message */
export class TestSocket<Message extends { readonly type: string } = ServerMessage>
  implements AsyncDisposable {
  /** Settles when the socket has closed. */
  readonly closed: Promise<Closed>;
  readonly #socket: WebSocket;
  readonly #arrived: (Message | Error)[] = [];
  #wake: (() => void) | undefined;

  private constructor(socket: WebSocket, parse: (text: string) => Message | undefined) {
    this.#socket = socket;
    socket.on("message", (data, isBinary) => {
      const arrived = isBinary
        ? new Error("A binary frame came in")
        : parsed(data.toString(), parse);
      if (arrived === undefined) return;
      this.#arrived.push(arrived);
      this.#wake?.();
    });
    this.closed = new Promise((resolve) => {
      socket.on("close", (code, reason) => resolve({ code, reason: reason.toString() }));
    });
  }

  /**
   * @param url `ws://…`
   * @throws {UpgradeRefused} the server answered with anything but an upgrade
   */
  static open(url: string, headers: Record<string, string> = {}): Promise<TestSocket> {
    return TestSocket.openAs(url, parseServerMessage, headers);
  }

  /**
   * The same for a client that reads messages in its own way.
   *
   * @param parse throws for what the client would get stuck on; what is `undefined` isn't waited for
   */
  static async openAs<Message extends { readonly type: string }>(
    url: string,
    parse: (text: string) => Message | undefined,
    headers: Record<string, string> = {},
  ): Promise<TestSocket<Message>> {
    const socket = new WebSocket(url, { headers });
    const client = new TestSocket<Message>(socket, parse);
    const opened = new Promise<void>((resolve, fail) => {
      socket.on("open", resolve);
      socket.on("error", fail);
      socket.on("unexpected-response", (request, response) => {
        const parts: Buffer[] = [];
        response.on("data", (chunk) => parts.push(chunk));
        response.on("end", () => {
          request.destroy();
          const body = Buffer.concat(parts).toString();
          // Of a response there is always one.
          fail(new UpgradeRefused(response.statusCode ?? 0, response.headers, body));
        });
      });
    });
    await within(opened, "a socket to open");
    return client;
  }

  /** Sends one message and awaits the next one from the server. */
  async ask(message: unknown): Promise<Message> {
    this.send(message);
    return await this.next();
  }

  send(message: unknown): void {
    this.sendText(JSON.stringify(message));
  }

  sendText(text: string): void {
    this.#socket.send(text);
  }

  sendBinary(data: Uint8Array): void {
    this.#socket.send(data);
  }

  /** One text message in several frames. */
  sendFragments(fragments: readonly string[]): void {
    fragments.forEach((text, i) => this.#socket.send(text, { fin: i === fragments.length - 1 }));
  }

  /** Waits until the server has taken in all that was sent: it answers a ping frame in its place. */
  async takenIn(): Promise<void> {
    const pong = new Promise<void>((resolve) => this.#socket.on("pong", resolve));
    this.#socket.ping();
    await within(pong, "a pong frame");
  }

  /** The next message that has come or will come, in order. */
  async next(): Promise<Message> {
    if (this.#arrived.length === 0) {
      const message = new Promise<void>((resolve) => this.#wake = resolve);
      await within(Promise.race([message, this.closed]), "a message");
    }
    const arrived = this.#arrived.shift();
    if (arrived === undefined) {
      const { code, reason } = await this.closed;
      throw new Error(`Waited for a message, but the socket closed: ${code} ${reason}`);
    }
    if (arrived instanceof Error) throw arrived;
    return arrived;
  }

  /** Everything that came before the answer to a ping sent now; the pong is left out. */
  async untilPong(): Promise<readonly Message[]> {
    this.send({ type: "ping" });
    const before: Message[] = [];
    for (;;) {
      const message = await this.next();
      if (message.type === "pong") return before;
      before.push(message);
    }
  }

  /** Reads no more, as a client does that hangs, until `resume`. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Cuts the connection, as a lost network does. */
  cut(): void {
    this.#socket.terminate();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await within(this.closed, "a socket to close").catch(() => this.#socket.terminate());
  }
}

function parsed<Message>(
  text: string,
  parse: (text: string) => Message | undefined,
): Message | undefined | Error {
  try {
    return parse(text);
  } catch (cause) {
    return new Error(`The server sent no message of the protocol: ${text.slice(0, 500)}`, {
      cause,
    });
  }
}
