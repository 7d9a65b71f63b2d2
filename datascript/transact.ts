/**
 * Forms → what they change, as DataScript does it (datascript.md §4). A value in, a value out:
 * whatever goes wrong on the way, nothing has changed.
 */

import type { Db } from "./db.ts";
import { TransactError } from "./errors.ts";
import type { Form, Tempid } from "./forms.ts";
import type { TxReport } from "./report.ts";
import { type Learnt, Transaction } from "./transaction.ts";
import { collection } from "./value.ts";

/**
 * All forms as one transaction. Its datoms carry the id `db.maxTx + 1`.
 *
 * @throws {TransactError} the forms can't be transacted
 * @throws {NodeMissing} load the node and call again
 */
export function transact(db: Db, forms: readonly Form[]): TxReport {
  const learnt: Learnt = {
    tempids: new Map(),
    upserted: new Map(),
    nested: new Map(),
    guesses: new Set(),
  };
  const outcome = new Transaction(db, learnt).run(forms);
  return outcome === "again" ? withGuesses(db, forms, learnt) : outcome;
}

/**
 * A batch is run again so often however long it is, and more often until this many steps were done in
 * vain: about a second's work. Tempids that are learnt of one by one would keep a server busy for
 * minutes with one message.
 */
const RUNS_AGAIN = 5;
const STEPS_AGAIN = 500_000;

/** How much was done again for a batch. */
class Effort {
  #runs = 0;
  #steps = 0;

  /** @throws {TransactError} it was too much */
  begin(): void {
    if (this.#runs++ < RUNS_AGAIN || this.#steps <= STEPS_AGAIN) return;
    throw new TransactError(
      "late-upserts",
      "Too many tempids turn out to be somebody after something else was said of them",
    );
  }

  end(steps: number): void {
    this.#steps += steps;
  }
}

/**
 * The runs after one that found out that a tempid is somebody, where DataScript finds out one thing
 * with each. Here all are guessed first that the database before tells of; where one doesn't show, as
 * a form before took somebody's identity away, it goes as there.
 */
function withGuesses(db: Db, forms: readonly Form[], learnt: Learnt): TxReport {
  const guesses = new Map(upsertsBefore(db, forms).filter(([id]) => !learnt.upserted.has(id)));
  const effort = new Effort();
  if (guesses.size > 0) {
    const tempids = new Map([...learnt.tempids, ...guesses]);
    const upserted = new Map([...learnt.upserted, ...guesses]);
    const guessed = { ...learnt, tempids, upserted, guesses: new Set(guesses.keys()) };
    try {
      const { report, unproven } = untilLearnt(db, forms, guessed, effort);
      if (unproven.size === 0) return report;
    } catch (thrown) {
      if (!(thrown instanceof TransactError)) throw thrown;
    }
  }
  return untilLearnt(db, forms, learnt, effort).report;
}

/**
 * Runs until nothing else is found out.
 *
 * @returns `unproven`: guesses that didn't show in the last run
 * @throws {TransactError} there is no end of it
 */
function untilLearnt(
  db: Db,
  forms: readonly Form[],
  learnt: Learnt,
  effort: Effort,
): { readonly report: TxReport; readonly unproven: ReadonlySet<Tempid> } {
  for (;;) {
    effort.begin();
    const transaction = new Transaction(db, learnt);
    const report = transaction.run(forms);
    if (report !== "again") return { report, unproven: transaction.unproven };
    effort.end(transaction.steps);
  }
}

/** Tempids of which a form says what somebody is known by, and who that is. */
function upsertsBefore(db: Db, forms: readonly Form[]): readonly (readonly [Tempid, number])[] {
  const { schema } = db;
  return forms.flatMap((form) => {
    if (form.op !== "add" && form.op !== "entity" || form.e.kind !== "tempid") return [];
    const { id } = form.e;
    const said = form.op === "add" ? [[form.a, form.v] as const] : form.attributes;
    return said.flatMap(([a, v]) => {
      if (!schema.isIdentity(a) || schema.isRef(a) || collection(v) !== undefined) return [];
      const e = db.holder(a, v);
      return e === undefined ? [] : [[id, e] as const];
    });
  });
}
