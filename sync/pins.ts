/**
 * Which version a caller's last pull told him: the pages of a download that follow it shall hold
 * just that version, since the client takes it for theirs (protocol.md §3). Remembered where the
 * pull came in, for as long as a page takes.
 */
import { LRUCache } from "lru-cache";
import type { Generation, GraphId, T, UserId } from "../protocol/ids.ts";

/** A page follows its pull at once; a slow client's import of the page before lies between. */
const PIN_MS = 60_000;
const MAX_PINS = 10_000;

/** A version of one log. */
export interface Pin {
  readonly log: Generation;
  readonly t: T;
}

export class Pins {
  readonly #pins: LRUCache<string, Pin>;

  /** @param now ms since the epoch */
  constructor(now: () => number) {
    this.#pins = new LRUCache({
      max: MAX_PINS,
      ttl: PIN_MS,
      ttlResolution: 0,
      perf: { now },
    });
  }

  remember(caller: UserId, graph: GraphId, pin: Pin): void {
    this.#pins.set(`${graph} ${caller}`, pin);
  }

  of(caller: UserId, graph: GraphId): Pin | undefined {
    return this.#pins.get(`${graph} ${caller}`);
  }
}
