/** The same work by the server and by its floor, in turns, so that what else the machine does falls on both. */
import { type Goal, type Result, rounded, timed } from "./result.ts";

/** How much was done in one turn. */
export interface Work {
  readonly count: number;
  /** Of what, in the plural. */
  readonly of: string;
  readonly bytes: number;
}

export class Beside {
  #ours = 0;
  #floor = 0;
  #turns = 0;

  constructor(private readonly what: string, private readonly work: Work) {}

  async ours(turn: () => Promise<unknown>): Promise<void> {
    this.#ours += (await timed(turn)).ms;
    this.#turns++;
  }

  async floor(turn: () => Promise<unknown>): Promise<void> {
    this.#floor += (await timed(turn)).ms;
  }

  /** Rate to rate: 1 is as fast as the floor, and less is slower. */
  result(goal?: Goal): Result {
    const { count, of, bytes } = this.work;
    const each = (ms: number): string => `${rounded(ms / this.#turns / count * 1000)} µs each`;
    return {
      what: this.what,
      work: `${count} ${of}, ${rounded(bytes / 1e6)} MB, ${this.#turns} times`,
      ours: each(this.#ours),
      floor: each(this.#floor),
      ratio: rounded(this.#floor / this.#ours),
      ...goal !== undefined && { goal },
    };
  }
}
