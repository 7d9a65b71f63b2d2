/**
 * What a client of the seed's dialect does with a graph: uploads rows, downloads them page by page as
 * the real one does (protocol.md §3), and opens what it got as its database.
 */
import assert from "node:assert/strict";
import type { Db } from "../../datascript/db.ts";
import { decodeNode } from "../../datascript/node.ts";
import { openDb } from "../../datascript/root.ts";
import { encodeDatom } from "../../datascript/datom.ts";
import { encode } from "../../datascript/transit.ts";
import { importAnswerSchema, rowsAnswerSchema } from "../../protocol/http.ts";
import { type PullOk, pullOkSchema } from "../../protocol/server_message.ts";
import type { FixtureRow } from "./fixtures.ts";
import type { TestServer } from "./server.ts";

/** A row as a client keeps it, by its addr. */
export interface ClientRow {
  readonly content: string;
  readonly addresses: string | null;
}

/** What a download came to. */
export interface Download {
  /** The version that the client takes for its own: that of its last pull. */
  readonly t: number;
  readonly db: Db;
}

/** Sends rows as a client does: pages, the first with `reset`, and an empty call at the end. */
export async function upload(
  server: TestServer,
  graph: string,
  rows: readonly FixtureRow[],
  pageSize = 2000,
): Promise<void> {
  for (let start = 0; start < rows.length; start += pageSize) {
    const page = rows.slice(start, start + pageSize);
    await importPage(server, graph, start === 0, page);
  }
  await importPage(server, graph, false, []);
}

async function importPage(
  server: TestServer,
  graph: string,
  reset: boolean,
  rows: readonly FixtureRow[],
): Promise<void> {
  const { status, body } = await server.call(`/sync/${graph}/snapshot/import`, {
    json: { reset, rows },
  });
  assert.equal(status, 200);
  assert.equal(importAnswerSchema.parse(body).count, rows.length);
}

export async function pull(server: TestServer, graph: string, query = ""): Promise<PullOk> {
  return pullOkSchema.parse(await pulled(server, graph, query));
}

async function pulled(server: TestServer, graph: string, query = ""): Promise<unknown> {
  const { status, body } = await server.call(`/sync/${graph}/pull${query}`);
  assert.equal(status, 200);
  return body;
}

/**
 * Downloads a graph and opens it.
 *
 * @param between called before each page, after the pull
 * @param told the version that a pull's body tells; by default of a graph of the seed's clients alone
 */
export async function download(
  server: TestServer,
  graph: string,
  limit = 2000,
  between: () => Promise<void> = () => Promise.resolve(),
  told: (body: unknown) => number = (body) => pullOkSchema.parse(body).t,
): Promise<Download> {
  const rows = new Map<number, ClientRow>();
  let after = -1;
  for (;;) {
    const t = told(await pulled(server, graph));
    await between();
    const page = rowsAnswerSchema.parse(
      (await server.call(`/sync/${graph}/snapshot/rows?after=${after}&limit=${limit}`)).body,
    );
    assert.ok(page.rows.length <= Math.max(limit, 2), `${page.rows.length} rows on a page`);
    for (const row of page.rows) rows.set(row.addr, row);
    if (page.done) return { t, db: openRows(rows) };
    assert.ok(page.last_addr > after, "a page goes on from the one before");
    after = page.last_addr;
  }
}

/** A client's own database over rows as they came. */
export function openRows(rows: ReadonlyMap<number, ClientRow>): Db {
  const [root, tail] = [rows.get(0), rows.get(1)];
  assert.ok(root !== undefined && tail !== undefined, "rows 0 and 1 are there");
  return openDb(root.content, tail.content, {
    get: (address) => {
      const row = rows.get(address);
      assert.ok(row !== undefined, `row ${address} was sent`);
      return decodeNode(row);
    },
  });
}

/** The datoms in EAVT order, each as the Transit of `[e a v tx]`. */
export function datomsOf(db: Db): readonly string[] {
  return db.everything("eavt").map((datom) => encode(encodeDatom(datom)));
}
