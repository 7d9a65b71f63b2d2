/**
 * What Deno's KV (2.9) throws where a disk has lost or changed what the file held; by its words, since
 * there is no class of error for that.
 */
const DAMAGED =
  /database disk image is malformed|disk I\/O error|value encoding -?\d+ is unknown|Invalid column type|could not deserialize/;

/** The same of a key. */
const DAMAGED_KEY = /^(invalid utf8|invalid tag|unexpected end of file)/;

export function isStoreDamage(cause: unknown): cause is Error {
  if (cause instanceof TypeError || cause instanceof RangeError) return DAMAGED.test(cause.message);
  const { InvalidData, UnexpectedEof } = Deno.errors;
  return (cause instanceof InvalidData || cause instanceof UnexpectedEof) &&
    DAMAGED_KEY.test(cause.message);
}
