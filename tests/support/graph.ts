/** A graph below HTTP: the real store, and the parts of the server that work on it. */
import assert from "node:assert/strict";
import { Db } from "../../datascript/db.ts";
import { emptyRoot } from "../../datascript/stored.ts";
import { parseForms } from "../../datascript/forms.ts";
import { decodeNode, type Node } from "../../datascript/node.ts";
import { openDb } from "../../datascript/root.ts";
import { NO_SOURCE, type NodeSource } from "../../datascript/source.ts";
import { decode } from "../../datascript/transit.ts";
import { createGraph } from "../../kv/graphs.ts";
import { prepareBatch } from "./prepare.ts";
import { LOGSEQ_SCHEMA } from "../../logseq/schema.ts";
import { rowsAnswerSchema } from "../../protocol/http.ts";
import {
  type GraphId,
  newGraphId,
  parseT,
  parseUserId,
  T_ZERO,
  type UserId,
} from "../../protocol/ids.ts";
import { txBatch } from "../../sync/batch.ts";
import { Databases } from "../../sync/database.ts";
import { flush, type FlushDeps, type FlushOutcome } from "../../sync/flush.ts";
import { rememberTold } from "../../sync/downloads.ts";
import { NextPages } from "../../sync/next_pages.ts";
import { pull } from "../../sync/pull.ts";
import { RecentEntries } from "../../sync/recent.ts";
import { rowsPage } from "../../sync/snapshot.ts";
import { WholeRows } from "../../sync/whole_rows.ts";
import { Turns } from "../../sync/turns.ts";
import { loggerFor } from "../../telemetry/log.ts";
import { newNodes } from "./nodes.ts";

const alice = parseUserId("alice");
assert.ok(alice !== undefined);
const ALICE: UserId = alice;

/** Nothing is flushed but by `flush`. */
const NO_FLUSHER = { changed: (): void => {} };
const NO_FANOUT = { moved: (): void => {} };

/** What a client has after a download: the database, and the nodes that it was sent. */
export interface TestDownload {
  readonly t: number;
  readonly db: Db;
  readonly source: NodeSource;
}

/** One process's view of a graph. `now` is the clock of all of it. */
export class TestGraph {
  readonly nextPages: NextPages;
  readonly wholeRows: WholeRows;
  readonly #deps: FlushDeps;

  constructor(
    readonly kv: Deno.Kv,
    readonly graph: GraphId,
    readonly now: () => number = () => Date.now(),
    maxKeys = 4,
  ) {
    this.nextPages = new NextPages(kv, now);
    this.wholeRows = new WholeRows(kv);
    const databases = new Databases(kv, newNodes());
    this.#deps = { kv, databases, turns: new Turns(), log: loggerFor("test"), now, maxKeys };
  }

  static async create(kv: Deno.Kv, now?: () => number): Promise<TestGraph> {
    const graph = newGraphId();
    await createGraph(kv, graph, { owner: ALICE, name: "test", createdAt: 0 });
    return new TestGraph(kv, graph, now);
  }

  /** Sends a batch; answers its version, or the reason for which it was rejected. */
  async batch(tBefore: number, txs: readonly string[]): Promise<number | string> {
    const t_before = parseT(tBefore);
    assert.ok(t_before !== undefined);
    const recent = new RecentEntries();
    const deps = { ...this.#deps, fanout: NO_FANOUT, flusher: NO_FLUSHER, recent };
    const answer = await txBatch(deps, this.graph, { t_before, txs });
    assert.ok(answer !== undefined);
    return answer.type === "tx/batch/ok" ? answer.t : answer.reason;
  }

  async flush(): Promise<FlushOutcome["kind"] | undefined> {
    return (await flush(this.#deps, this.graph))?.kind;
  }

  /**
   * Downloads as a client does: a pull before each page.
   *
   * @param between called after each pull
   */
  async download(
    limit: number,
    between: () => Promise<void> = () => Promise.resolve(),
  ): Promise<TestDownload> {
    const rows = new Map<number, { readonly content: string; readonly addresses: string | null }>();
    for (let after = -1;;) {
      const told = await pull(this.kv, this.graph, T_ZERO);
      assert.ok(told !== undefined);
      const downloader = { graph: this.graph, caller: ALICE };
      await rememberTold(this, downloader, told);
      await between();
      const query = { after, limit, caller: ALICE };
      const page = await rowsPage(this, this.graph, query);
      assert.ok(typeof page === "object");
      const texts = page.rows.map(({ json }) => new TextDecoder().decode(json));
      const answer = rowsAnswerSchema.shape.rows.parse(JSON.parse(`[${texts.join(",")}]`));
      for (const row of answer) rows.set(row.addr, row);
      if (page.done) return { t: told.t, ...opened(rows) };
      assert.ok(page.lastAddr > after);
      after = page.lastAddr;
    }
  }
}

function opened(
  rows: ReadonlyMap<number, { readonly content: string; readonly addresses: string | null }>,
): Omit<TestDownload, "t"> {
  const source = {
    get: (address: number): Node => {
      const row = rows.get(address);
      assert.ok(row !== undefined, `row ${address} was sent`);
      return decodeNode(row);
    },
  };
  const root = rows.get(0);
  if (root === undefined) return { db: EMPTY, source };
  return { db: openDb(root.content, rows.get(1)?.content ?? "[]", source), source };
}

/** A graph without rows, as Logseq opens it. */
export const EMPTY: Db = Db.open(emptyRoot(LOGSEQ_SCHEMA), NO_SOURCE);

/** What a batch makes of a database in memory: the model of what the server keeps. */
export function after(db: Db, txs: readonly string[]): Db {
  const prepared = prepareBatch(db, txs.flatMap((tx) => parseForms(decode(tx))));
  return prepared.ok ? prepared.report.after : db;
}
