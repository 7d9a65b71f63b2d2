/**
 * In which formats a database's values are, as one number. An older server that meets newer ones takes
 * what it can't read for damage, and drops what it doesn't know of: so it must not begin.
 */
import { z } from "zod";
import { objectSet } from "./change.ts";
import { commit } from "./commit.ts";
import { formatKey } from "./keys.ts";
import { parseStored } from "./stored.ts";

/** Raised with each change of what is stored that a server from before it would misread or drop. */
export const FORMAT = 1;

const formatSchema = z.object({ format: z.int().positive() });

/** `undefined`: no server has stamped it yet. One read. @throws {CorruptValueError} */
export async function readFormat(kv: Deno.Kv): Promise<number | undefined> {
  const { key, value, versionstamp } = await kv.get(formatKey());
  return versionstamp === null ? undefined : parseStored(formatSchema, key, value).format;
}

/** Says that this server writes there from now on. What keeps it from that now, the next start does. */
export async function stampFormat(kv: Deno.Kv): Promise<void> {
  const { key, value, versionstamp } = await kv.get(formatKey());
  if (versionstamp !== null && parseStored(formatSchema, key, value).format >= FORMAT) return;
  await commit(kv, {
    sets: [objectSet(key, { format: FORMAT })],
    deletes: [],
    checks: [{ key, versionstamp }],
  });
}
