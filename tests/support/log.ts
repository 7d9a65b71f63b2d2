/** What the server logs, kept for a test to look at. */
import { configure, type LogRecord, reset } from "@logtape/logtape";

/** All that is logged while this is done, of every level, in order. */
export async function loggedBy(work: () => Promise<unknown>): Promise<readonly LogRecord[]> {
  const logged: LogRecord[] = [];
  await configure({
    sinks: { kept: (record) => void logged.push(record) },
    loggers: [
      { category: "sync", lowestLevel: "trace", sinks: ["kept"] },
      { category: ["logtape", "meta"], sinks: [] },
    ],
  });
  try {
    await work();
  } finally {
    await reset();
  }
  return logged;
}

/** A line as it is read, without its fields. */
export function textOf({ message }: LogRecord): string {
  return message.join("");
}
