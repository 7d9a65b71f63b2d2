/** The real program is killed (SIGKILL) while files come and go, and started again on the same file. */
import assert from "node:assert/strict";
import { openBlobStores } from "../../assets/open.ts";
import { sweepAssets } from "../../sync/asset_sweep.ts";
import { bytesOf, sha256Of } from "../support/bytes.ts";
import { keysOf } from "../support/kv.ts";
import { Served } from "../support/served.ts";

const NAME = "6f1e2d3c-0000-4000-8000-000000000001.bin";
const GRACE_MS = 60_000;
const PIECE = 200_000;

/** SHA-256 of the file; `undefined`: there is none. */
async function read(served: Served, path: string): Promise<string | undefined> {
  const response = await served.fetch(path);
  const bytes = await response.bytes();
  if (response.status === 404) return undefined;
  assert.equal(response.status, 200);
  return sha256Of(bytes);
}

/** Kills the program once so many pieces of the body are on their way; answers if it was told ok. */
async function putAndKill(
  served: Served,
  path: string,
  bytes: Uint8Array<ArrayBuffer>,
  pieces: number,
): Promise<boolean> {
  let sent = 0;
  const body = new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      if (sent === pieces) await served.kill();
      const start = sent++ * PIECE;
      if (start >= bytes.length) controller.close();
      else controller.enqueue(bytes.slice(start, start + PIECE));
    },
  });
  return await served.fetch(path, { method: "PUT", body }).then((answer) => answer.ok, () => false);
}

/** Sweeps as if the grace were over; answers how many parts of blobs are left. */
async function partsLeft(kvPath: string): Promise<number> {
  using kv = await Deno.openKv(kvPath);
  for (const graces of [2, 4]) {
    const now = (): number => Date.now() + graces * GRACE_MS;
    await sweepAssets({ kv, stores: openBlobStores(kv), now }, GRACE_MS);
  }
  const keys = await keysOf(kv);
  assert.ok(keys.every(([name]) => name !== "loose" && name !== "gone"));
  return keys.filter(([name]) => name === "blob").length;
}

Deno.test("Killed while a file comes in or goes, the program has the old one or the new one, whole", async () => {
  const folder = await Deno.makeTempDir({ prefix: "kill_assets_test" });
  const kvPath = `${folder}/kv.sqlite3`;
  let served = await Served.start({ KV_PATH: kvPath });
  try {
    const path = `/assets/${await served.createGraph()}/${NAME}`;
    let old: Uint8Array<ArrayBuffer> | undefined;

    // In the middle of an upload, of a replacement, and when the last byte is on its way.
    for (const [seed, pieces] of [4, 1, 7, 10].entries()) {
      const next = bytesOf(10 * PIECE - 1000 * seed, seed);
      const told = await putAndKill(served, path, next, pieces);
      served = await Served.start({ KV_PATH: kvPath });
      const now = await read(served, path);
      if (told || pieces === 10 && now === sha256Of(next)) assert.equal(now, sha256Of(next));
      else assert.equal(now, old === undefined ? undefined : sha256Of(old));

      // Done once more it is there, and replaces what there was.
      const answer = await served.fetch(path, { method: "PUT", body: next });
      assert.equal(await answer.text(), '{"ok":true}');
      old = next;
    }

    const removing = served.fetch(path, { method: "DELETE" }).then(
      (answer) => answer.ok,
      () => false,
    );
    await served.kill();
    const told = await removing;
    served = await Served.start({ KV_PATH: kvPath });
    const now = await read(served, path);
    assert.ok(old !== undefined);
    if (told) assert.equal(now, undefined);
    else assert.ok(now === undefined || now === sha256Of(old));
    await served.program.end("SIGTERM");
    const parts = now === undefined ? 0 : Math.ceil(old.length / 65_536);
    assert.equal(await partsLeft(kvPath), parts);
  } finally {
    await served[Symbol.asyncDispose]();
    await Deno.remove(folder, { recursive: true });
  }
});
