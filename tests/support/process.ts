/** What one process of the server has of its own over a store, below HTTP. */
import assert from "node:assert/strict";
import { openBlobStores } from "../../assets/open.ts";
import { type Head, readHead } from "../../kv/head.ts";
import { listRows } from "../../kv/rows.ts";
import { importRowSchema, type RowsAnswer, rowsAnswerSchema } from "../../protocol/http.ts";
import type { GraphId, T, UserId } from "../../protocol/ids.ts";
import { type PullOk, pullOkSchema } from "../../protocol/server_message.ts";
import type { EntriesAnswer } from "../../protocol/today/server_message.ts";
import { AcceptedIds } from "../../sync/accepted.ts";
import { txBatch } from "../../sync/batch.ts";
import { wholeChecksum } from "../../sync/checksum.ts";
import { Databases } from "../../sync/database.ts";
import { type EntriesDeps, txEntries } from "../../sync/entries.ts";
import { Flusher } from "../../sync/flush.ts";
import { openGraphs } from "../../sync/graphs.ts";
import { ImportedRows, importRows } from "../../sync/import.ts";
import type { NodeCache } from "../../sync/node_cache.ts";
import { rememberTold } from "../../sync/downloads.ts";
import { NextPages } from "../../sync/next_pages.ts";
import { pull } from "../../sync/pull.ts";
import { pullFrame } from "../../sync/pull_answer.ts";
import { RecentEntries } from "../../sync/recent.ts";
import { rowsPage } from "../../sync/snapshot.ts";
import { WholeRows } from "../../sync/whole_rows.ts";
import { Turns } from "../../sync/turns.ts";
import { loggerFor } from "../../telemetry/log.ts";
import { parseEntriesBatch } from "../../protocol/today/tx_batch.ts";
import { datomsOf } from "./client.ts";
import type { FixtureRow } from "./fixtures.ts";
import { version } from "./ids.ts";
import { newNodes } from "./nodes.ts";
import type { WireEntry } from "./today.ts";
import { userOf } from "./user.ts";
import { created } from "./created.ts";

export { version };

export const ALICE = userOf("alice");
export const BOB = userOf("bob");

export async function headOf(kv: Deno.Kv, graph: GraphId): Promise<Head> {
  const head = await readHead(kv, graph);
  assert.ok(head !== undefined);
  return head;
}

/** Rows as the body of an import has them. */
export function importedOf(rows: Iterable<unknown>): ImportedRows {
  const imported = new ImportedRows();
  for (const row of rows) imported.add(importRowSchema.parse(row));
  return imported;
}

/** `[addr, content, addresses]` of all rows that the head refers to. */
export async function rowsOf(kv: Deno.Kv, graph: GraphId): Promise<readonly FixtureRow[]> {
  const head = await headOf(kv, graph);
  const { rows } = rowsAnswerSchema.parse({
    rows: await Array.fromAsync(
      listRows(kv, graph, head.rows, -1),
      (row) => JSON.parse(new TextDecoder().decode(row.json)),
    ),
    last_addr: 0,
    done: true,
  });
  return rows.map(({ addr, content, addresses }) => [addr, content, addresses]);
}

/** The log as a client pulls it. */
export async function logOf(kv: Deno.Kv, graph: GraphId): Promise<PullOk> {
  const log = await pull(kv, graph, version(0));
  assert.ok(log !== undefined);
  return pullOkSchema.parse(JSON.parse((await pullFrame(log)).text));
}

/** A process. Whom it would tell of its batches is not here: see `told`. */
export class Process {
  readonly databases: Databases;
  /** Ms since the epoch. */
  readonly now: () => number;
  readonly nextPages: NextPages;
  readonly wholeRows: WholeRows;
  readonly recent = new RecentEntries();
  readonly #deps: EntriesDeps & { readonly flusher: Flusher };
  /** The versions that other sockets are told of. */
  readonly told: number[] = [];

  /** @param now ms since the epoch */
  constructor(
    readonly kv: Deno.Kv,
    { nodes = newNodes(), now = (): number => 1000 }: {
      readonly nodes?: NodeCache;
      readonly now?: () => number;
    } = {},
  ) {
    this.databases = new Databases(kv, nodes);
    this.now = now;
    this.nextPages = new NextPages(kv, now);
    this.wholeRows = new WholeRows(kv);
    const fanout = { moved: (_: GraphId, t: T): void => void this.told.push(t) };
    const parts = {
      kv,
      databases: this.databases,
      turns: new Turns(),
      recent: this.recent,
      log: loggerFor("test"),
      now,
    };
    this.#deps = { ...parts, fanout, flusher: new Flusher(parts), accepted: new AcceptedIds(kv) };
  }

  /** Answers when no flush is under way. */
  async idle(): Promise<void> {
    await this.#deps.flusher.idle();
  }

  async createGraph(): Promise<GraphId> {
    return await created(
      openGraphs({ kv: this.kv, stores: openBlobStores(this.kv), now: this.now }),
      ALICE,
      { graph_name: "notes" },
    );
  }

  /** A graph with these rows. */
  async graphWith(rows: readonly FixtureRow[]): Promise<GraphId> {
    const graph = await this.createGraph();
    await this.import(graph, rows, true);
    return graph;
  }

  async import(graph: GraphId, rows: readonly FixtureRow[], reset = false): Promise<number> {
    const count = await importRows(this, graph, reset, importedOf(rows));
    assert.ok(count !== undefined);
    return count;
  }

  /** The answer to a batch. */
  async send(graph: GraphId, t: number, ...txs: readonly string[]): ReturnType<typeof txBatch> {
    return await txBatch(this.#deps, graph, { t_before: version(t), txs });
  }

  /** The answer to a batch of entries in today's dialect, as it is on the wire. */
  async sendEntries(
    graph: GraphId,
    t: number,
    ...entries: readonly WireEntry[]
  ): Promise<EntriesAnswer | undefined> {
    const parsed = parseEntriesBatch({ "t-before": t, "txs": entries });
    assert.ok(parsed.ok);
    return await txEntries(this.#deps, graph, parsed.batch);
  }

  /** The checksum of the graph now, over all of it. */
  async checksum(graph: GraphId): Promise<string> {
    const open = await this.databases.open(await headOf(this.kv, graph));
    return await wholeChecksum(this.databases, open);
  }

  /** Sends batches of one tx each on top of one another, all of which must be accepted. */
  async write(graph: GraphId, t: number, ...txs: readonly string[]): Promise<void> {
    for (const [i, tx] of txs.entries()) await this.writeBatch(graph, t + i, [tx]);
  }

  /** Sends one batch, which must be accepted. */
  async writeBatch(graph: GraphId, t: number, txs: readonly string[]): Promise<void> {
    assert.deepEqual(await this.send(graph, t, ...txs), { type: "tx/batch/ok", t: t + 1 });
  }

  /** The datoms now, as this process has them: see `datomsOf`. */
  async datoms(graph: GraphId): Promise<readonly string[]> {
    const open = await this.databases.open(await headOf(this.kv, graph));
    return await this.databases.run(open, () => datomsOf(open.db));
  }

  /** A page; `pull` it first to pin a version. */
  async page(
    graph: GraphId,
    after: number,
    limit: number,
    caller: UserId = ALICE,
  ): Promise<RowsAnswer> {
    const page = await rowsPage(this, graph, { after, limit, caller });
    assert.ok(typeof page === "object");
    return rowsAnswerSchema.parse({
      rows: page.rows.map(({ json }) => JSON.parse(new TextDecoder().decode(json))),
      last_addr: page.lastAddr,
      done: page.done,
    });
  }

  /** What a pull without since does for the pages that follow it; answers the version told. */
  async pin(graph: GraphId, caller: UserId = ALICE): Promise<number> {
    const log = await pull(this.kv, graph, version(0));
    assert.ok(log !== undefined);
    await rememberTold(this, { graph, caller }, log);
    return log.t;
  }
}
