/** A graph as an SQLite file with Logseq's table `kvs`, by the same pages that clients download. */
import { DatabaseSync } from "node:sqlite";
import { readHead } from "../kv/head.ts";
import { rowsAnswerSchema } from "../protocol/http.ts";
import { type GraphId, parseUserId } from "../protocol/ids.ts";
import { Pins } from "./pins.ts";
import { rowsPage } from "./snapshot.ts";

const PAGE_ROWS = 500;
/** How often all rows may be replaced while they are copied. */
const ATTEMPTS = 5;

const rowSchema = rowsAnswerSchema.shape.rows.element;

/**
 * Writes a file that isn't there yet; answers whether there is such a graph.
 *
 * Memory: a page of rows. Rows that a flush made useless are in the file too.
 *
 * @throws {Error} the graph's rows were replaced again and again
 */
export async function writeKvsPages(kv: Deno.Kv, graph: GraphId, path: string): Promise<boolean> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const before = await readHead(kv, graph);
    if (before === undefined) return false;
    using file = new DatabaseSync(path);
    file.exec("DROP TABLE IF EXISTS kvs");
    file.exec("CREATE TABLE kvs (addr INTEGER PRIMARY KEY, content TEXT, addresses JSON)");
    file.exec("BEGIN");
    await copyPages(kv, graph, file);
    file.exec("COMMIT");
    const after = await readHead(kv, graph);
    if (after?.rows === before.rows && after.rowsVersion === before.rowsVersion) return true;
  }
  throw new Error(`Cannot copy the rows of ${graph} as they keep being replaced`);
}

async function copyPages(kv: Deno.Kv, graph: GraphId, file: DatabaseSync): Promise<void> {
  const insert = file.prepare("INSERT OR REPLACE INTO kvs VALUES (?, ?, ?)");
  const deps = { kv, pins: new Pins(() => 0) };
  const caller = parseUserId("backup");
  if (caller === undefined) throw new Error("Cannot happen: the name is a user's");
  let after = -1;
  for (;;) {
    const page = await rowsPage(deps, graph, { after, limit: PAGE_ROWS, caller });
    if (page === undefined) return;
    for (const { json } of page.rows) {
      const row = rowSchema.parse(JSON.parse(new TextDecoder().decode(json)));
      insert.run(row.addr, row.content, row.addresses);
    }
    if (page.done) return;
    after = page.lastAddr;
  }
}
