/**
 * A client that writes batches whatever becomes of its connection, as the real one does: on `stale`
 * it pulls and sends again, and when the connection is lost it comes in anew, pulls, and sends again
 * what it doesn't find in the log.
 */
import assert from "node:assert/strict";
import type { PullOk, ServerMessage } from "../../protocol/server_message.ts";
import { blockTx } from "./forms.ts";
import { TestSocket, UpgradeRefused } from "./socket.ts";

export class Writer implements AsyncDisposable {
  /** The log as far as it was pulled. */
  readonly log: PullOk["txs"][number][] = [];
  /** What is known to be stored: a batch's id → the version that it made. */
  readonly stored = new Map<string, number>();
  readonly #connect: () => Promise<TestSocket>;
  readonly #onStored: () => void;
  #socket: TestSocket | undefined;
  /** The version that all is known up to: what a batch is sent on. */
  #t = 0;
  /** The greatest version that this client was told. */
  #told = 0;

  /**
   * @param connect comes in at some process; called again when the connection is lost
   * @param onStored called for each batch that is known to be stored
   */
  constructor(connect: () => Promise<TestSocket>, onStored: () => void = () => {}) {
    this.#connect = connect;
    this.#onStored = onStored;
  }

  /** Stores a batch that says this id, once. One that is called stale must not have been stored. */
  async write(id: string): Promise<void> {
    const tx = blockTx(crypto.randomUUID(), id);
    // Nobody told what became of it when it was last sent.
    let open = false;
    while (!this.stored.has(id)) {
      const done = await this.#unlessLost(id, async (socket) => {
        const answer = await this.#ask(socket, { type: "tx/batch", t_before: this.#t, txs: [tx] });
        if (answer.type === "tx/batch/ok") {
          assert.equal(answer.t, this.#t + 1);
          this.#t = answer.t;
          this.stored.set(id, answer.t);
        } else {
          const { type, reason, message } = { reason: "", message: "", ...answer };
          assert.ok(
            reason === "stale" || message === "server error",
            `${type} ${reason}${message}`,
          );
          open ||= reason !== "stale";
          await this.#pull(socket, id);
          assert.ok(open || !this.stored.has(id), `${id} was called stale, and is stored`);
        }
      });
      open ||= !done;
    }
    this.#onStored();
  }

  /** Pulls what it doesn't have yet. */
  async catchUp(): Promise<void> {
    while (!await this.#unlessLost(undefined, (socket) => this.#pull(socket)));
  }

  /** Waits until the server has told of this version without having been asked. */
  async untilTold(t: number): Promise<void> {
    while (this.#told < t) {
      assert.ok(this.#socket !== undefined);
      const message = await this.#socket.next();
      assert.ok(message.type === "changed", JSON.stringify(message));
      this.#told = Math.max(this.#told, message.t);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#socket?.[Symbol.asyncDispose]();
  }

  /**
   * Does the work on a connection, and answers whether it was done.
   *
   * @param pending a batch that may have been stored before the connection was lost
   */
  async #unlessLost(
    pending: string | undefined,
    work: (socket: TestSocket) => Promise<void>,
  ): Promise<boolean> {
    try {
      if (this.#socket === undefined) {
        this.#socket = await this.#connect();
        await this.#pull(this.#socket, pending);
        if (pending !== undefined && this.stored.has(pending)) return true;
      }
      await work(this.#socket);
      return true;
    } catch (thrown) {
      if (!isLost(thrown)) throw thrown;
      this.#socket?.cut();
      this.#socket = undefined;
      return false;
    }
  }

  async #pull(socket: TestSocket, pending?: string): Promise<void> {
    const since = this.log.length;
    let pulled = await this.#ask(socket, { type: "pull", since });
    // A fault of the store's; without the log it can't be known what may be sent.
    while (pulled.type === "error") pulled = await this.#ask(socket, { type: "pull", since });
    assert.ok(pulled.type === "pull/ok", JSON.stringify(pulled));
    this.log.push(...pulled.txs);
    this.#t = pulled.t;
    const own = pulled.txs.find(({ tx }) => pending !== undefined && saysId(tx, pending));
    if (own !== undefined && pending !== undefined) this.stored.set(pending, own.t);
  }

  /** The answer, past the news of others' batches. */
  async #ask(socket: TestSocket, message: unknown): Promise<ServerMessage> {
    socket.send(message);
    for (;;) {
      const answer = await socket.next();
      if ("t" in answer) this.#told = Math.max(this.#told, answer.t);
      if (answer.type !== "changed") return answer;
    }
  }
}

/** Whether a log entry says this id. */
export function saysId(tx: string, id: string): boolean {
  return tx.includes(JSON.stringify(id));
}

/** Not an answer that is wrong, and not one that doesn't come. */
function isLost(thrown: unknown): boolean {
  if (thrown instanceof UpgradeRefused) return thrown.status >= 500;
  return thrown instanceof Error && !(thrown instanceof assert.AssertionError) &&
    !/^Waited \d+ ms/.test(thrown.message);
}
