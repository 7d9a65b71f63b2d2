/** Commits that other writers may get in the way of, until one is settled. */
import type { NotCommitted } from "../kv/change.ts";

/**
 * How often a commit is tried on a head that is read again each time. Other writers of a graph can
 * make it fail a few times; so often it is a database that takes no commits.
 */
const ATTEMPTS = 50;

/** How an attempt ended: with an answer, or to be made again. */
export type Attempt<Answer> =
  | { readonly done: Answer }
  | { readonly again: NotCommitted };

/** An attempt that was a commit: done with this answer, if it was made. */
export function attempted<Answer>(
  outcome: { readonly kind: "committed" } | NotCommitted,
  answer: Answer,
): Attempt<Answer> {
  return outcome.kind === "committed" ? { done: answer } : { again: outcome };
}

/**
 * Attempts until one is settled. Each starts from what the store says then, so what became of an
 * unknown outcome is read, never guessed.
 *
 * @param what ends the sentence "Cannot …"
 * @throws {Error} none was, ATTEMPTS times
 */
export async function untilSettled<Answer>(
  what: string,
  attempt: () => Promise<Attempt<Answer>>,
): Promise<Answer> {
  let cause: unknown;
  for (let i = 0; i < ATTEMPTS; i++) {
    const result = await attempt();
    if ("done" in result) return result.done;
    cause = result.again.cause ?? cause;
  }
  throw new Error(`Cannot ${what} after ${ATTEMPTS} attempts`, { cause });
}
