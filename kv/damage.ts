/**
 * What Deno's KV (2.9) throws where a disk has lost or changed what the file held; by its words, since
 * there is no class of error for that.
 */
const DAMAGED =
  /database disk image is malformed|disk I\/O error|value encoding \d+ is unknown|could not deserialize/;

export function isStoreDamage(cause: unknown): cause is Error {
  return (cause instanceof TypeError || cause instanceof RangeError) && DAMAGED.test(cause.message);
}
