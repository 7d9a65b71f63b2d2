/** The graph of a million datoms, which is not part of this repository. */
import { gunzipSync } from "node:zlib";
import type { Block } from "./edits.ts";

const FOLDER = new URL("../../shared/fixtures/", import.meta.url);

/** The JSON of `[addr, content, addresses]` of every row, ascending; `undefined` where it isn't there. */
export async function readLargeRows(): Promise<readonly string[] | undefined> {
  return (await read("variety-large.rows"))?.split("\n").filter((line) => line !== "");
}

/** Its blocks, in the order of their entity ids; `undefined` where it isn't there. */
export async function readLargeBlocks(): Promise<readonly Block[] | undefined> {
  const datoms = await read("variety-large.datoms");
  if (datoms === undefined) return undefined;
  const uuids = new Map<string, string>();
  const places = new Map<string, { page?: string; parent?: string }>();
  const wanted = /^\[(\d+),"~:block\/(uuid|page|parent)",(?:"~u([0-9a-f-]{36})"|(\d+)),/gm;
  for (const [, e = "", attribute, uuid, target] of datoms.matchAll(wanted)) {
    if (uuid !== undefined) uuids.set(e, uuid);
    const place = places.get(e) ?? {};
    if (attribute === "page" && target !== undefined) place.page = target;
    if (attribute === "parent" && target !== undefined) place.parent = target;
    places.set(e, place);
  }
  return [...places].flatMap(([e, place]) => {
    const [uuid, page, parent] = [e, place.page, place.parent].map((id) => uuids.get(id ?? ""));
    return uuid === undefined || page === undefined || parent === undefined
      ? []
      : [{ uuid, page, parent }];
  });
}

async function read(name: string): Promise<string | undefined> {
  let packed: Uint8Array;
  try {
    packed = await Deno.readFile(new URL(`${name}.ndjson.gz`, FOLDER));
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    return undefined;
  }
  return gunzipSync(packed).toString("utf-8");
}
