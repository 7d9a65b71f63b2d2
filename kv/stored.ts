/** Values that the store keeps as objects, through their schema: they come from outside. */
import type { z } from "zod";
import { CorruptValueError } from "./chunks.ts";

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
