/** The composition root: settings → KV → services → app → serve → leave. Decides nothing. */
import { createApp } from "./app.ts";
import { openBlobStores } from "./assets/open.ts";
import { type Config, ConfigError, environment, parseConfig } from "./config.ts";
import { stampFormat } from "./kv/format.ts";
import { lookForFile } from "./kv/lost_file.ts";
import {
  ASSIGNED,
  isFile,
  isShared,
  MEMORY,
  mustTakeCommits,
  openKv,
  OpenKvError,
} from "./kv/open.ts";
import { keepAlive, repeat, untilSignal } from "./life_cycle.ts";
import { listen, ListenError } from "./listen.ts";
import { createServices } from "./services.ts";
import { closeReason } from "./sync/close_codes.ts";
import { byChannel } from "./sync/channel.ts";
import { type OpenCarrier, openFanout } from "./sync/fanout.ts";
import { startHeartbeat } from "./sync/heartbeat.ts";
import { Hub } from "./sync/hub.ts";
import { settledWithin } from "./sync/patience.ts";
import { sweep, type SweepParts } from "./sync/sweep.ts";
import { warmUp } from "./sync/warm_up.ts";
import { byLooks, byWatch } from "./sync/watch.ts";
import { configureLog, loggerFor } from "./telemetry/log.ts";
import { createMetrics, NO_METER } from "./telemetry/metrics.ts";

const log = loggerFor("main");

const SWEEP_EVERY_MS = 5 * 60 * 1000;
const LOOK_EVERY_MS = 60 * 1000;

/** A server that listens. */
export interface Running {
  readonly url: string;
  /** Ends sockets with 1001 after their answers, lets requests end, stops: within 4.5 s in any case. */
  stop(): Promise<void>;
}

/**
 * Serves this database; it stays the caller's to close, after `stop`.
 *
 * @param ways how news reaches other isolates and processes
 * @throws {ListenError}
 */
export async function start(
  config: Config,
  kv: Deno.Kv,
  ways: readonly OpenCarrier[] = waysOf(config, kv),
): Promise<Running> {
  const stores = openBlobStores(kv, config.s3);
  const hub = new Hub();
  const fanout = openFanout(hub, ways);
  const { metrics: access } = config;
  const served = access.kind === "off" ? undefined : {
    access,
    metrics: createMetrics({
      sockets: () => hub.graphs().reduce((sum, graph) => sum + hub.each(graph).length, 0),
      graphs: () => hub.graphs().length,
    }),
  };
  const meter = served?.metrics ?? NO_METER;
  const services = await createServices({ kv, hub, fanout, meter, stores, ...config });
  const app = createApp(services, served);
  const server = listen(config, app.fetch, (cause) => {
    log.error("Cannot take connections for a moment", { cause });
  });
  const endHeartbeat = startHeartbeat(kv, hub);
  return {
    url: urlOf(server.addr),
    async stop(): Promise<void> {
      endHeartbeat();
      // Sockets first: shutdown() would overtake our reason with its own (platform.md §8).
      await settledWithin(1500, hub.leave(closeReason.shutdown));
      hub.closeEverything(closeReason.shutdown);
      await settledWithin(1500, server.shutdown());
      await settledWithin(300, services.leave());
      await settledWithin(700, services.idle());
      await settledWithin(200, fanout.close());
    },
  };
}

/**
 * What brings news from other isolates and processes. In memory there is no other process. In a file a
 * watch hears nothing of one (platform.md §0.6), and of our own commits it made each batch cost a tenth
 * more: so its heads are looked at.
 */
export function waysOf({ kvPath }: Pick<Config, "kvPath">, kv: Deno.Kv): readonly OpenCarrier[] {
  if (isShared(kvPath)) return [byChannel(), byWatch(kv)];
  return isFile(kvPath) ? [byChannel(), byLooks(kv)] : [byChannel()];
}

/** Where it listens. DENO_SERVE_ADDRESS, with which Deno Deploy runs, may say a socket of no port. */
function urlOf(addr: Deno.Addr): string {
  if (!("hostname" in addr)) return addr.transport;
  const { hostname, port } = addr;
  return `http://${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
}

/** Closes the database. */
async function warmUpOnce(inMemory: Deno.Kv): Promise<void> {
  using kv = inMemory;
  await warmUp(kv).catch((cause) => {
    log.warn("Cannot warm up, so the first batch takes longer", { cause });
  });
}

/** Sweeps at the start, for what a process before this one left, and every five minutes. */
function sweepOften(parts: SweepParts): void {
  void repeat("sweep", SWEEP_EVERY_MS, () => sweep(parts));
}

/**
 * The program: serves until SIGINT or SIGTERM, then leaves. A wrong setting, a database that can't be
 * opened or written to, or a place where it can't listen ends it with status 1 and a line that says so;
 * any other error with its stack.
 *
 * @param ready called once the server listens
 * @param keepSwept called once after that, and not waited for
 */
export async function run<Read extends Config>(
  readConfig: () => Read | Promise<Read>,
  ready: (config: Read, url: string) => void | Promise<void> = () => {},
  keepSwept: (parts: SweepParts) => void = sweepOften,
): Promise<void> {
  try {
    const config = await readConfig();
    await configureLog(config.logFormat, config.logLevel);
    const kv = await openKv(config.kvPath);
    await mustTakeCommits(kv, config.kvPath);
    await stampFormat(kv);
    // On Deploy nobody has tried which database a path opens. Before it listens: where connections have
    // taken all the files that may be open, Deno (2.9) panics as it opens one.
    const inMemory = config.kvPath === ASSIGNED ? undefined : await openKv(MEMORY);
    // From now on, as whoever is told that it serves may end it at once.
    const signalled = untilSignal();
    const running = await start(config, kv);
    log.info("Serving {kvPath} at {url}", { kvPath: config.kvPath, url: running.url });
    await ready(config, running.url);
    keepAlive();
    if (isFile(config.kvPath)) {
      void repeat("find the database", LOOK_EVERY_MS, await lookForFile(config.kvPath));
    }
    if (inMemory !== undefined) void warmUpOnce(inMemory);
    const stores = openBlobStores(kv, config.s3);
    keepSwept({ kv, stores, now: () => Date.now(), ...config });
    const signal = await signalled;
    log.info("Leaving on {signal}", { signal });
    await running.stop();
    kv.close();
    Deno.exit(0);
  } catch (cause) {
    const ours = [ConfigError, OpenKvError, ListenError];
    const why = cause instanceof Error && ours.some((kind) => cause instanceof kind)
      ? `Cannot start:\n${cause.message}`
      : `Cannot go on:\n${Deno.inspect(cause)}`;
    // Thrown on, it would end nothing once keepAlive() has caught it.
    Deno.stderr.writeSync(new TextEncoder().encode(`${why}\n`));
    Deno.exit(1);
  }
}

if (import.meta.main) await run(() => parseConfig(environment()));
