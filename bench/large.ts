/** The graph of a million datoms, which is not part of this repository. */
import { gunzipSync } from "node:zlib";

const LARGE = new URL("../../shared/fixtures/variety-large.rows.ndjson.gz", import.meta.url);

/** The JSON of `[addr, content, addresses]` of every row, ascending; `undefined` where it isn't there. */
export async function readLargeRows(): Promise<readonly string[] | undefined> {
  let packed: Uint8Array;
  try {
    packed = await Deno.readFile(LARGE);
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    return undefined;
  }
  return gunzipSync(packed).toString("utf-8").split("\n").filter((line) => line !== "");
}
