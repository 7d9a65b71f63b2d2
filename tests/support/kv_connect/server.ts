/**
 * A KV Connect server for tests: what `Deno.openKv("http://…")` talks to, over a store in memory, in
 * the process of the test. So a test can start several programs on one store, and let it fail.
 */
import { z } from "zod";
import { type Fault, type Faults, NO_FAULTS, type Operation } from "./faults.ts";
import { ConnectStore, RefusedError } from "./store.ts";
import {
  type KeyBytes,
  readAtomicWrite,
  readSnapshotRead,
  readWatch,
  writeAtomicWriteOutput,
  writeSnapshotReadOutput,
  writeWatchFrame,
} from "./wire.ts";

/**
 * What a client must have as DENO_KV_ACCESS_TOKEN. Of no other value in a test's own process: test files
 * that run at once share its variables.
 */
export const ACCESS_TOKEN = "only-for-tests";

const DATA_TOKEN = "only-for-the-data-path";
const DATABASE_ID = "00000000-0000-4000-8000-000000000001";
const PATH = "/v3";
const DELAY_MS = 20;
const PING_MS = 5000;
const MAX_WATCHED_KEYS = 10;
const HEADERS = { "content-type": "application/x-protobuf" };

const metadataRequestSchema = z.object({ supportedVersions: z.array(z.int()) });

export interface ConnectServer extends AsyncDisposable {
  /** For `Deno.openKv`, or a program's KV_PATH. */
  readonly url: string;
  readonly store: ConnectStore;
  /** What goes wrong from now on. */
  faults: Faults;
  /** Requests so far, by kind. */
  readonly asked: Readonly<Record<Operation, number>>;
  /** Ends every watch that there is; Deno's client begins them again by itself. */
  breakWatches(): void;
  /** A client in this process; to be closed before the server is. */
  open(): Promise<Deno.Kv>;
}

/**
 * `await using kvServer = startConnectServer()`, on a free port of this machine.
 *
 * @param accessToken another than ACCESS_TOKEN for a server that refuses whoever has that
 */
export function startConnectServer(accessToken: string = ACCESS_TOKEN): ConnectServer {
  const served = new Served(accessToken);
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    (request) => served.answer(request),
  );
  const url = `http://127.0.0.1:${server.addr.port}`;
  return Object.assign(served, {
    url,
    open: async (): Promise<Deno.Kv> => {
      Deno.env.set("DENO_KV_ACCESS_TOKEN", ACCESS_TOKEN);
      return await Deno.openKv(url);
    },
    [Symbol.asyncDispose]: async (): Promise<void> => {
      served.breakWatches();
      await server.shutdown();
    },
  });
}

class Served {
  readonly store = new ConnectStore();
  readonly asked: Record<Operation, number> = { snapshot_read: 0, atomic_write: 0, watch: 0 };
  faults: Faults = NO_FAULTS;
  readonly #watches = new Set<() => void>();
  readonly #accessToken: string;

  constructor(accessToken: string) {
    this.#accessToken = accessToken;
  }

  async answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === "/") return await metadata(request, this.#accessToken);
    const operation = operationOf(pathname);
    if (operation === undefined) return new Response("Resource not found.", { status: 404 });
    if (request.headers.get("authorization") !== `Bearer ${DATA_TOKEN}`) {
      return new Response("Invalid access token.", { status: 401 });
    }
    this.asked[operation]++;
    const body = await request.bytes();
    try {
      return await this.#withFault(this.faults(operation), () => this.#do(operation, body));
    } catch (thrown) {
      if (!(thrown instanceof RefusedError)) throw thrown;
      return new Response(thrown.message, { status: 400 });
    }
  }

  breakWatches(): void {
    for (const end of this.#watches) end();
  }

  async #withFault(fault: Fault | undefined, work: () => Response): Promise<Response> {
    if (fault === "refuse") return new Response("refused by the test", { status: 503 });
    if (fault === "delay") await new Promise((resolve) => setTimeout(resolve, DELAY_MS));
    const done = work();
    if (fault === "lose") {
      await done.body?.cancel();
      return new Response("lost by the test", { status: 502 });
    }
    return fault === "cut" ? await cutOff(done) : done;
  }

  #do(operation: Operation, body: Uint8Array): Response {
    switch (operation) {
      case "snapshot_read": {
        const ranges = this.store.read(readSnapshotRead(body));
        return new Response(writeSnapshotReadOutput(ranges), { headers: HEADERS });
      }
      case "atomic_write": {
        const outcome = this.store.write(readAtomicWrite(body));
        return new Response(writeAtomicWriteOutput(outcome), { headers: HEADERS });
      }
      case "watch":
        return new Response(this.#watch(readWatch(body)), { headers: HEADERS });
      default:
        return operation satisfies never;
    }
  }

  /**
   * All keys as they are now, then those that change. The others are called unchanged, as the
   * protocol has it, though denokv sends all: Deno's client (2.9.6) tells of an unchanged key as of
   * one that is gone, and what is tested over this server has to live with that.
   */
  #watch(keys: readonly KeyBytes[]): ReadableStream<Uint8Array<ArrayBuffer>> {
    if (keys.length > MAX_WATCHED_KEYS) throw new RefusedError("Too many keys to watch.");
    let stop = (): void => {};
    return new ReadableStream<Uint8Array<ArrayBuffer>>({
      start: (controller) => {
        const tell = (changed: readonly boolean[]): void =>
          controller.enqueue(
            writeWatchFrame(keys.map((key, i) =>
              changed[i] ? { changed: true, entry: this.store.get(key) } : { changed: false }
            )),
          );
        const ping = setInterval(() => controller.enqueue(new Uint8Array(4)), PING_MS);
        const unsubscribe = this.store.onChange(keys, tell);
        stop = (): void => {
          clearInterval(ping);
          unsubscribe();
          this.#watches.delete(end);
        };
        const end = (): void => {
          stop();
          controller.close();
        };
        this.#watches.add(end);
        tell(keys.map(() => true));
      },
      cancel: () => stop(),
    });
  }
}

function operationOf(pathname: string): Operation | undefined {
  const operations: readonly Operation[] = ["snapshot_read", "atomic_write", "watch"];
  return operations.find((operation) => pathname === `${PATH}/${operation}`);
}

/** The metadata exchange: a client's token for an address and a token of the data path. */
async function metadata(request: Request, accessToken: string): Promise<Response> {
  const body = metadataRequestSchema.safeParse(await request.json());
  if (!body.success || !body.data.supportedVersions.includes(3)) {
    return new Response("The server requires protocol version 3.", { status: 400 });
  }
  if (request.headers.get("authorization") !== `Bearer ${accessToken}`) {
    return new Response("Invalid access token.", { status: 401 });
  }
  return Response.json({
    version: 3,
    databaseId: DATABASE_ID,
    endpoints: [{ url: PATH, consistency: "strong" }],
    token: DATA_TOKEN,
    expiresAt: new Date(Date.now() + 60 * 60 * 1000).toISOString(),
  });
}

/** Half of the answer's first chunk, which no client can read. */
async function cutOff(response: Response): Promise<Response> {
  const reader = response.body?.getReader();
  const { value } = await reader?.read() ?? {};
  await reader?.cancel();
  return new Response(value?.subarray(0, value.length / 2), { headers: response.headers });
}
