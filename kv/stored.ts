/** Values that the store keeps as objects or as JSON, through their schema: they come from outside. */
import type { z } from "zod";
import { loggerFor } from "../telemetry/log.ts";
import { CorruptValueError, decodeText } from "./chunks.ts";

const log = loggerFor("kv");

/** @throws {CorruptValueError} the value is not what the schema says; names the key */
export function parseStored<Schema extends z.ZodType>(
  schema: Schema,
  key: Deno.KvKey,
  value: unknown,
): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new CorruptValueError(`Cannot read the value of ${JSON.stringify(key)}`, {
    cause: parsed.error,
  });
}

/** The same of UTF-8 of JSON. */
export function parseStoredJson<Schema extends z.ZodType>(
  schema: Schema,
  key: Deno.KvKey,
  json: Uint8Array,
): z.output<Schema> {
  return parseStored(schema, key, parseJson(key, decodeText(json)));
}

function parseJson(key: Deno.KvKey, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CorruptValueError(`Cannot read ${JSON.stringify(key)} as JSON`, { cause });
  }
}

/** The same of an entry; `undefined` where there is none. */
export function parseFound<Schema extends z.ZodType>(
  schema: Schema,
  { key, value, versionstamp }: Deno.KvEntryMaybe<unknown>,
): z.output<Schema> | undefined {
  return versionstamp === null ? undefined : parseStored(schema, key, value);
}

/** What an entry is parsed to; `undefined`, and a line in the log, where it is damaged. */
export function soundOf<Value>(
  entry: Deno.KvEntryMaybe<unknown>,
  parse: (entry: Deno.KvEntryMaybe<unknown>) => Value,
): Value | undefined {
  return soundAt(entry.key, () => parse(entry));
}

/** The same of what several entries hold. */
export function soundAt<Value>(key: Deno.KvKey, parse: () => Value): Value | undefined {
  try {
    return parse();
  } catch (cause) {
    if (!(cause instanceof CorruptValueError)) throw cause;
    log.error("Cannot read {key}, so it is left out", { key, cause });
    return undefined;
  }
}
