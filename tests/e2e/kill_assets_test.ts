/** The real program is killed (SIGKILL) while files come and go, and started again on the same file. */
import assert from "node:assert/strict";
import { openBlobStores } from "../../assets/open.ts";
import { signToken } from "../../auth/sign.ts";
import { createGraphAnswerSchema } from "../../protocol/http.ts";
import { sweepAssets } from "../../sync/asset_sweep.ts";
import { bytesOf, sha256Of } from "../support/bytes.ts";
import { keysOf } from "../support/kv.ts";
import { type Program, runProgram } from "../support/program.ts";

const AUTH_SECRET = "0123456789abcdef0123456789abcdef";
const NAME = "6f1e2d3c-0000-4000-8000-000000000001.bin";
const GRACE_MS = 60_000;
const PIECE = 200_000;

/** The program on a file. */
class Served implements AsyncDisposable {
  private constructor(readonly program: Program, readonly url: string, readonly token: string) {}

  static async start(kvPath: string): Promise<Served> {
    const program = runProgram("main.ts", [], {
      AUTH_SECRET,
      HOST: "127.0.0.1",
      PORT: "0",
      KV_PATH: kvPath,
      LOG_FORMAT: "json",
    });
    const [, url] = await program.printed(/"url":"(http:[^"]+)"/);
    assert.ok(url !== undefined);
    return new Served(program, url, await signToken(AUTH_SECRET, "alice", Date.now(), 3600));
  }

  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = { authorization: `Bearer ${this.token}` };
    return fetch(`${this.url}${path}`, { ...init, headers });
  }

  /** SHA-256 of the file; `undefined`: there is none. */
  async read(path: string): Promise<string | undefined> {
    const response = await this.fetch(path);
    const bytes = await response.bytes();
    if (response.status === 404) return undefined;
    assert.equal(response.status, 200);
    return sha256Of(bytes);
  }

  /** Kills the program once so many pieces of the body are on their way; answers if it was told ok. */
  async putAndKill(path: string, bytes: Uint8Array<ArrayBuffer>, pieces: number): Promise<boolean> {
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        if (sent === pieces) await this.program.end("SIGKILL");
        const start = sent++ * PIECE;
        if (start >= bytes.length) controller.close();
        else controller.enqueue(bytes.slice(start, start + PIECE));
      },
    });
    return await this.fetch(path, { method: "PUT", body }).then((answer) => answer.ok, () => false);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program[Symbol.asyncDispose]();
  }
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
  let served = await Served.start(kvPath);
  try {
    const created = await served.fetch("/graphs", {
      method: "POST",
      body: '{"graph_name":"notes"}',
    });
    const graph = createGraphAnswerSchema.parse(await created.json()).graph_id;
    const path = `/assets/${graph}/${NAME}`;
    let old: Uint8Array<ArrayBuffer> | undefined;

    // In the middle of an upload, of a replacement, and when the last byte is on its way.
    for (const [seed, pieces] of [4, 1, 7, 10].entries()) {
      const next = bytesOf(10 * PIECE - 1000 * seed, seed);
      const told = await served.putAndKill(path, next, pieces);
      served = await Served.start(kvPath);
      const now = await served.read(path);
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
    await served.program.end("SIGKILL");
    const told = await removing;
    served = await Served.start(kvPath);
    const now = await served.read(path);
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
