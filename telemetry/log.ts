/**
 * The log: LogTape, pretty for people at a terminal, otherwise a JSON object a line for machines.
 * Until `configureLog` is called nothing is written, so that tests are silent.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import {
  configure,
  getConsoleSink,
  getJsonLinesFormatter,
  getLogger,
  type Logger,
  type LogLevel,
  type TextFormatter,
  withContext,
} from "@logtape/logtape";
import { getPrettyFormatter } from "@logtape/pretty";
import { redact } from "./redact.ts";

/** Category of everything that we log. */
const ROOT = "sync";

/** `pretty`: coloured, for people. `json`: a JSON object a line. */
export type LogFormat = "pretty" | "json";
export type { Logger, LogLevel };

/** The logger of one part of the server. Messages name things by placeholders, never a token. */
export function loggerFor(part: string): Logger {
  return getLogger([ROOT, part]);
}

/** Writes nothing: no sink has its category. For work that is nobody's, whose faults are thrown. */
export const SILENT: Logger = getLogger(["silent"]);

/** Does the work; every line that it logs, however deep and late, has these fields too. */
export function withLogFields<Result>(
  fields: Readonly<Record<string, unknown>>,
  work: () => Result,
): Result {
  return withContext({ ...fields }, work);
}

/** Starts writing to the console; called once by the program. */
export async function configureLog(format: LogFormat, lowestLevel: LogLevel): Promise<void> {
  const formatter: TextFormatter = format === "json"
    ? getJsonLinesFormatter()
    : getPrettyFormatter({ properties: true, timestamp: "time" });
  await configure({
    contextLocalStorage: new AsyncLocalStorage(),
    sinks: {
      console: getConsoleSink({ formatter: (record) => redact(formatter(record)).trimEnd() }),
    },
    loggers: [
      { category: ROOT, lowestLevel, sinks: ["console"] },
      { category: ["logtape", "meta"], lowestLevel: "warning", sinks: ["console"] },
    ],
  });
}
