/** How far a long task is: a bar in a terminal, a line now and then elsewhere. On stderr. */
// deno-lint-ignore-file no-console
// @ts-types="@types/cli-progress"
import { Presets, SingleBar } from "cli-progress";

/** To be called as the work goes on, from 0 to the total; may begin again. */
export type Progress = (done: number, total: number) => void;

export interface ShownProgress {
  readonly progress: Progress;
  /** Ends the bar; also where the work failed. */
  readonly end: () => void;
}

/** Lines in all, where there is no terminal. */
const LINES = 10;

/** @param what is counted: "rows" */
export function showProgress(what: string): ShownProgress {
  return Deno.stderr.isTerminal() ? bar(what) : lines(what, (line) => console.error(line));
}

function bar(what: string): ShownProgress {
  const shown = new SingleBar(
    { format: `{bar} {percentage}% | {value} of {total} ${what}`, hideCursor: true },
    Presets.shades_classic,
  );
  let total = NaN;
  return {
    progress: (done, all) => {
      if (all !== total) shown.start(total = all, done);
      else shown.update(done);
    },
    end: () => shown.stop(),
  };
}

/** A line for each tenth. */
export function lines(what: string, print: (line: string) => void): ShownProgress {
  let told = -1;
  return {
    progress: (done, total) => {
      const tenth = total === 0 ? LINES : Math.floor((done / total) * LINES);
      if (done !== 0 && tenth === told) return;
      told = tenth;
      if (done > 0) print(`${done} of ${total} ${what}`);
    },
    end: () => {},
  };
}
