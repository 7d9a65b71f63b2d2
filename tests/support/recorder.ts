/** A listener that writes down what it is told. */
import type { T } from "../../protocol/ids.ts";
import type { CloseReason } from "../../sync/close_codes.ts";
import type { Listener } from "../../sync/hub.ts";
import { within } from "./deadline.ts";

/** Lets a test look at all that was heard, or wait for the next thing. */
export class Recorder implements Listener {
  readonly heard: string[] = [];
  #wake: (() => void) | undefined;

  changed(t: T): void {
    this.#hear(`changed ${t}`);
  }
  compare(t: T): void {
    this.#hear(`at ${t}`);
  }
  remind(t: T): void {
    this.#hear(`still ${t}`);
  }
  close({ code, reason }: CloseReason): void {
    this.#hear(`close ${code} ${reason}`);
  }
  leave({ code, reason }: CloseReason): void {
    this.#hear(`leave ${code} ${reason}`);
  }
  async next(): Promise<string | undefined> {
    if (this.heard.length === 0) {
      await within(new Promise<void>((resolve) => this.#wake = resolve), "news");
    }
    return this.heard.shift();
  }
  #hear(news: string): void {
    this.heard.push(news);
    this.#wake?.();
  }
}
