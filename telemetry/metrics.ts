/**
 * What is counted, in Prometheus's terms, by prom-client. Labels come from closed lists, never from
 * a request: no user, no graph, no path, so that the number of series is bounded and nobody's.
 */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";

/** Where the parts of the server report what they do. No method throws. */
export interface Meter {
  /**
   * A request was answered; of a stream or a socket the beginning counts.
   *
   * @param method one of HTTP's, or `other`
   * @param route the pattern, such as `/graphs/:id`
   */
  request(method: string, route: string, status: number, seconds: number): void;
  /** @param outcome `ok`, a reject's reason, `gone` (no such graph) or `failed` */
  batch(outcome: string, seconds: number): void;
  /** A log was asked for. */
  pull(): void;
  /** Rows went out, or came in. */
  rows(direction: "served" | "imported", count: number): void;
  /** News of a graph was given to those who listen here. */
  notice(kind: string): void;
  /** @param outcome `done`, `lost` or `failed` */
  flush(outcome: string, seconds: number): void;
  /** @param outcome `committed`, `conflict` or `unknown` */
  commit(outcome: string): void;
}

/** A meter whose counts can be read. */
export interface Metrics extends Meter {
  readonly contentType: string;
  /** All series in Prometheus's text format, as of now. */
  text(): Promise<string>;
}

/** Who may read the counts: whoever can reach the server, or whoever has the token. */
export type MetricsAccess =
  | { readonly kind: "open" }
  | { readonly kind: "token"; readonly token: string };

/** The counts, and who may read them. */
export interface ServedMetrics {
  readonly metrics: Metrics;
  readonly access: MetricsAccess;
}

/** What is read when it is asked for, rather than counted. */
export interface Gauges {
  /** Open sockets of this process. */
  readonly sockets: () => number;
  /** Graphs that a socket of this process has open. */
  readonly graphs: () => number;
}

/** For a server that nobody asks. */
export const NO_METER: Meter = Object.freeze({
  request: () => {},
  batch: () => {},
  pull: () => {},
  rows: () => {},
  notice: () => {},
  flush: () => {},
  commit: () => {},
});

/** Without what Deno has no numbers for: empty or always 0 there, or Node's own version. */
const NOT_UNDER_DENO = [
  "nodejs_gc_duration_seconds",
  "nodejs_active_resources",
  "nodejs_active_resources_total",
  "nodejs_active_handles",
  "nodejs_active_handles_total",
  "nodejs_active_requests",
  "nodejs_active_requests_total",
  "nodejs_version_info",
] as const;

/** Seconds: a request from memory takes below a millisecond, a page of rows some hundred. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Counts from zero, beside what the process tells of itself (CPU, memory, event loop). */
export function createMetrics(gauges: Gauges): Metrics {
  const register = new Registry();
  const registers = [register];
  collectDefaultMetrics({ register });
  for (const name of NOT_UNDER_DENO) register.removeSingleMetric(name);

  const requests = new Histogram({
    name: "sync_http_request_duration_seconds",
    help: "Time until an answer began, by method, route pattern and status",
    labelNames: ["method", "route", "status"],
    buckets: BUCKETS,
    registers,
  });
  const batches = new Histogram({
    name: "sync_batch_duration_seconds",
    help: "Time until a batch was answered, by outcome: ok, a reject's reason, gone, failed",
    labelNames: ["outcome"],
    buckets: BUCKETS,
    registers,
  });
  const flushes = new Histogram({
    name: "sync_flush_duration_seconds",
    help: "Time that a tail took to become rows, by outcome: done, lost to another, failed",
    labelNames: ["outcome"],
    buckets: BUCKETS,
    registers,
  });
  const pulls = new Counter({
    name: "sync_pulls_total",
    help: "Logs that were asked for",
    registers,
  });
  const rows = new Counter({
    name: "sync_rows_total",
    help: "Rows of snapshots, by direction: served, imported",
    labelNames: ["direction"],
    registers,
  });
  const notices = new Counter({
    name: "sync_notices_total",
    help: "News given to a graph's listeners, by kind: moved, deleted, reset, people",
    labelNames: ["kind"],
    registers,
  });
  const commits = new Counter({
    name: "sync_kv_commits_total",
    help: "Atomic commits, by outcome: committed, conflict, unknown",
    labelNames: ["outcome"],
    registers,
  });
  gauge(register, "sync_sockets", "Open sockets of this process", gauges.sockets);
  gauge(register, "sync_open_graphs", "Graphs that a socket here has open", gauges.graphs);

  return {
    request: (method, route, status, seconds) =>
      requests.observe({ method, route, status }, seconds),
    batch: (outcome, seconds) => batches.observe({ outcome }, seconds),
    pull: () => pulls.inc(),
    rows: (direction, count) => rows.inc({ direction }, count),
    notice: (kind) => notices.inc({ kind }),
    flush: (outcome, seconds) => flushes.observe({ outcome }, seconds),
    commit: (outcome) => commits.inc({ outcome }),
    contentType: register.contentType,
    text: () => register.metrics(),
  };
}

function gauge(register: Registry, name: string, help: string, read: () => number): void {
  new Gauge({
    name,
    help,
    registers: [register],
    collect(): void {
      this.set(read());
    },
  });
}
