/** Work that is often asked for, and done once in a while. Knows no clock, so none can be wrong. */

/** Life: until `stop`, which must be called. */
export class Paced {
  readonly #work: () => void;
  readonly #pauseMs: () => number;
  #pause: ReturnType<typeof setTimeout> | undefined;
  #wanted = false;
  #stopped = false;

  /**
   * @param work must not throw
   * @param pauseMs what has to pass before it is done again, as it is when it has been done
   */
  constructor(work: () => void, pauseMs: () => number) {
    this.#work = work;
    this.#pauseMs = pauseMs;
  }

  /** Does it at once, or at the end of the pause: then it is one for all who asked meanwhile. */
  soon(): void {
    if (this.#stopped) return;
    if (this.#pause !== undefined) this.#wanted = true;
    else this.#do();
  }

  /** It isn't done any more, whoever asked. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#pause);
  }

  #do(): void {
    this.#wanted = false;
    this.#work();
    const ms = this.#pauseMs();
    if (ms <= 0 || this.#stopped) return;
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      if (this.#wanted) this.#do();
    }, ms);
  }
}
