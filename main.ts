/** The composition root: settings → KV → services → app → serve → leave. Decides nothing. */
import { dirname } from "node:path";
import { createApp } from "./app.ts";
import { type Config, ConfigError, environment, parseConfig } from "./config.ts";
import { keepAlive, repeat, settledWithin, untilSignal } from "./life_cycle.ts";
import { createServices } from "./services.ts";
import { closeReason } from "./sync/close_codes.ts";
import { byChannel } from "./sync/channel.ts";
import { type OpenCarrier, openFanout } from "./sync/fanout.ts";
import { Hub } from "./sync/hub.ts";
import { sweep } from "./sync/sweep.ts";
import { configureLog, loggerFor } from "./telemetry/log.ts";

const log = loggerFor("main");

/** Also at the start, for what a process before this one left. */
const SWEEP_EVERY_MS = 5 * 60 * 1000;

/** A server that listens. */
export interface Running {
  readonly url: string;
  /** Ends sockets with 1001 after their answers, lets requests end, stops: within 4.5 s in any case. */
  stop(): Promise<void>;
}

/** Opens the database of this path (or `:memory:`), and makes the folder that it is to be in. */
export async function openKv(path: string): Promise<Deno.Kv> {
  if (path !== ":memory:") await Deno.mkdir(dirname(path), { recursive: true });
  return await Deno.openKv(path);
}

/**
 * Serves this database; it stays the caller's to close, after `stop`.
 *
 * @param ways how news reaches other isolates and processes
 */
export async function start(
  config: Config,
  kv: Deno.Kv,
  ways: readonly OpenCarrier[] = [byChannel()],
): Promise<Running> {
  const hub = new Hub();
  const fanout = openFanout(hub, ways);
  const services = await createServices({ kv, hub, fanout, ...config });
  const app = createApp(services);
  const server = Deno.serve(
    { port: config.port, hostname: config.host, onListen: () => {} },
    app.fetch,
  );
  const { hostname, port } = server.addr;
  return {
    url: `http://${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`,
    async stop(): Promise<void> {
      // Sockets first: shutdown() would overtake our reason with its own (platform.md §8).
      const { code, reason } = closeReason.shutdown;
      await settledWithin(1500, hub.leave(code, reason));
      hub.closeEverything(code, reason);
      await settledWithin(1500, server.shutdown());
      await settledWithin(300, services.leave());
      await settledWithin(700, services.idle());
      await settledWithin(200, fanout.close());
    },
  };
}

/**
 * The program: serves until SIGINT or SIGTERM, then leaves. A wrong setting or a port that is taken
 * ends it with status 1 and a line that says so.
 *
 * @param ready called once the server listens
 */
export async function run(
  readConfig: () => Config | Promise<Config>,
  ready: (config: Config, url: string) => void | Promise<void> = () => {},
): Promise<void> {
  try {
    const config = await readConfig();
    await configureLog(config.logFormat, config.logLevel);
    const kv = await openKv(config.kvPath);
    const running = await start(config, kv);
    log.info("Serving {kvPath} at {url}", { kvPath: config.kvPath, url: running.url });
    await ready(config, running.url);
    keepAlive();
    repeat("sweep", SWEEP_EVERY_MS, () => sweep(kv, () => Date.now(), config.rowsGraceMs));
    const signal = await untilSignal();
    log.info("Leaving on {signal}", { signal });
    await running.stop();
    kv.close();
    Deno.exit(0);
  } catch (cause) {
    if (!(cause instanceof ConfigError || cause instanceof Deno.errors.AddrInUse)) throw cause;
    Deno.stderr.writeSync(new TextEncoder().encode(`Cannot start:\n${cause.message}\n`));
    Deno.exit(1);
  }
}

if (import.meta.main) await run(() => parseConfig(environment()));
