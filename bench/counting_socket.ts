/** A client's socket that does next to nothing with what comes in: npm's `ws` (platform.md §0.9). */
// @ts-types="@types/ws"
import WebSocket from "ws";

export class CountingSocket implements Disposable {
  /** Messages so far. */
  count = 0;
  /** Called with each message and the time at which it came in (ms, `performance.now`). */
  onMessage: (text: string, at: number) => void = () => {};
  readonly #socket: WebSocket;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", (data) => {
      this.count++;
      this.onMessage(data.toString(), performance.now());
    });
  }

  static async open(url: string): Promise<CountingSocket> {
    const socket = new WebSocket(url);
    await new Promise<void>((resolve, fail) => {
      socket.on("open", resolve);
      socket.on("error", fail);
    });
    return new CountingSocket(socket);
  }

  /** Opens so many, some at a time. */
  static async openMany(urls: readonly string[]): Promise<readonly CountingSocket[]> {
    const sockets: CountingSocket[] = [];
    for (let start = 0; start < urls.length; start += 50) {
      const some = urls.slice(start, start + 50).map((url) => CountingSocket.open(url));
      sockets.push(...await Promise.all(some));
    }
    return sockets;
  }

  send(text: string): void {
    this.#socket.send(text);
  }

  /** The first message from now on that says this, and when it came in. */
  next(part: string): Promise<{ readonly text: string; readonly at: number }> {
    return new Promise((resolve) => {
      this.onMessage = (text, at) => {
        if (text.includes(part)) resolve({ text, at });
      };
    });
  }

  [Symbol.dispose](): void {
    this.#socket.terminate();
  }
}
