/**
 * In which formats a database's values are, as one number. An older server that meets newer ones takes
 * what it can't read for damage, and drops what it doesn't know of: so it must not begin.
 */
import { z } from "zod";
import { checkOf, objectSet } from "./change.ts";
import { commit } from "./commit.ts";
import { formatKey } from "./keys.ts";
import { parseFound } from "./stored.ts";

/** Raised with each change of what is stored that a server from before it would misread or drop. */
export const FORMAT = 1;

const formatSchema = z.object({ format: z.int().positive() });

/** `undefined`: no server has stamped it yet. One read. @throws {CorruptValueError} */
export async function readFormat(kv: Deno.Kv): Promise<number | undefined> {
  return parseFound(formatSchema, await kv.get(formatKey()))?.format;
}

/** Says that this server writes there from now on. What keeps it from that now, the next start does. */
export async function stampFormat(kv: Deno.Kv): Promise<void> {
  const entry = await kv.get(formatKey());
  const format = parseFound(formatSchema, entry)?.format;
  if (format !== undefined && format >= FORMAT) return;
  await commit(kv, {
    sets: [objectSet(entry.key, { format: FORMAT })],
    checks: [checkOf(entry)],
  });
}
