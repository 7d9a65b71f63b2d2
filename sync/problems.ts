/** What is wrong with a graph, gathered sentence by sentence. */
import type { Tell } from "../datascript/db_check.ts";
import { CorruptRowError, TransactError } from "../datascript/errors.ts";
import { TransitError } from "../datascript/transit.ts";
import { CorruptValueError } from "../kv/chunks.ts";
import { isStoreDamage } from "../kv/damage.ts";
import { CorruptLogError } from "../kv/txlog.ts";
import { RowMissingError } from "./database.ts";
import { RowsUnfitError } from "./rows_check.ts";

/** So many are kept: a graph with more is broken enough. */
const MAX_PROBLEMS = 100;

/** What reading stored things throws where they are damaged. */
const DAMAGES = [
  CorruptRowError,
  TransactError,
  TransitError,
  CorruptValueError,
  CorruptLogError,
  RowMissingError,
  RowsUnfitError,
];

export class Problems {
  /** A sentence each, in the order in which they were found. */
  readonly found: string[] = [];

  readonly tell: Tell = (place, what) => {
    if (this.found.length < MAX_PROBLEMS) this.found.push(`${place} ${what}`);
    else this.found[MAX_PROBLEMS] = "there is more";
  };

  /** What the work answers; `undefined`, and a problem, where what it reads is damaged. */
  async catch<Result>(place: string, work: () => Promise<Result>): Promise<Result | undefined> {
    try {
      return await work();
    } catch (cause) {
      return this.#damaged(place, cause);
    }
  }

  /** The same of work that doesn't wait. */
  catchNow<Result>(place: string, work: () => Result): Result | undefined {
    try {
      return work();
    } catch (cause) {
      return this.#damaged(place, cause);
    }
  }

  #damaged(place: string, cause: unknown): undefined {
    if (!isDamage(cause)) throw cause;
    this.tell(place, `can't be read: ${reasonOf(cause)}`);
  }
}

export function isDamage(cause: unknown): cause is Error {
  return isStoreDamage(cause) || DAMAGES.some((one) => cause instanceof one);
}

/** The message, and those of what caused it. */
function reasonOf(cause: Error): string {
  const reasons = [cause.message];
  for (let deeper = cause.cause; deeper instanceof Error; deeper = deeper.cause) {
    reasons.push(deeper.message.split("\n")[0] ?? "");
  }
  return reasons.join(": ");
}
