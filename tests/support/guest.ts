/** A socket of a graph that writes down what it is told of people. */
import { z } from "zod";
import {
  editingSchema,
  type OnlineUser,
  onlineUsersSchema,
} from "../../protocol/today/presence.ts";
import type { CloseReason } from "../../sync/close_codes.ts";
import type { Guest } from "../../sync/room.ts";
import { within } from "./deadline.ts";

const newsSchema = z.discriminatedUnion("type", [onlineUsersSchema, editingSchema]);

/** Lets a test look at all that was heard, or wait for something. */
export class TestGuest implements Guest {
  /** `here: a, b(block)`, `b edits block`, `close 4403`. */
  readonly heard: string[] = [];
  #wake: (() => void) | undefined;

  people(text: string): void {
    const news = newsSchema.parse(JSON.parse(text));
    this.#hear(
      news.type === "online-users"
        ? `here: ${news["online-users"].map(described).toSorted().join(", ")}`
        : `${news["user-id"]} edits ${news["editing-block-uuid"] ?? "nothing"}`,
    );
  }

  close({ code }: CloseReason): void {
    this.#hear(`close ${code}`);
  }

  /** Waits until this is the last thing that was heard. */
  async until(last: string): Promise<void> {
    while (this.heard.at(-1) !== last) {
      const woken = new Promise<void>((resolve) => this.#wake = resolve);
      await within(woken, `"${last}" after ${JSON.stringify(this.heard)}`);
    }
  }

  #hear(news: string): void {
    this.heard.push(news);
    this.#wake?.();
  }
}

function described(user: OnlineUser): string {
  const block = user["editing-block-uuid"];
  return block === undefined ? user["user-id"] : `${user["user-id"]}(${block})`;
}
