/** Many keys at once, by as few calls of the store's `getMany` as it allows. */
import { isStoreDamage } from "./damage.ts";
import { GET_MANY_CALLS, GET_MANY_KEYS } from "./limits.ts";

/** The versionstamp of no entry: a check with it fails. */
const UNREADABLE = "0".repeat(20);

/**
 * What is under each of the keys, in their order. Strong, but not of one moment: one read for
 * GET_MANY_KEYS, up to GET_MANY_CALLS of them side by side.
 */
export async function getAll(
  kv: Deno.Kv,
  keys: readonly Deno.KvKey[],
): Promise<readonly Deno.KvEntryMaybe<unknown>[]> {
  const calls = Math.ceil(keys.length / GET_MANY_KEYS);
  const answers: (readonly Deno.KvEntryMaybe<unknown>[])[] = [];
  let next = 0;
  async function callNext(): Promise<void> {
    while (next < calls) {
      const call = next++;
      const some = keys.slice(call * GET_MANY_KEYS, (call + 1) * GET_MANY_KEYS);
      answers[call] = await getSome(kv, some);
    }
  }
  await Promise.all(Array.from({ length: Math.min(calls, GET_MANY_CALLS) }, callNext));
  return answers.flat();
}

/** One value that can't be read keeps no other from being read: it is there, and is nothing. */
async function getSome(
  kv: Deno.Kv,
  keys: readonly Deno.KvKey[],
): Promise<readonly Deno.KvEntryMaybe<unknown>[]> {
  try {
    return await kv.getMany<unknown[]>(keys);
  } catch (cause) {
    if (!isStoreDamage(cause)) throw cause;
  }
  return await Promise.all(keys.map(async (key) => {
    try {
      return await kv.get<unknown>(key);
    } catch (cause) {
      if (!isStoreDamage(cause)) throw cause;
      return { key, value: undefined, versionstamp: UNREADABLE };
    }
  }));
}

/** Whether all of the checks still hold. Strong reads, as of `getAll`. */
export async function areMet(
  kv: Deno.Kv,
  checks: readonly Deno.AtomicCheck[],
): Promise<boolean> {
  const entries = await getAll(kv, checks.map(({ key }) => key));
  return entries.every(({ versionstamp }, i) => versionstamp === checks[i]?.versionstamp);
}
