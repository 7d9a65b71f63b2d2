/**
 * An SQLite file in which Logseq keeps a graph: the table kvs, a row for each node. Written whole or
 * not at all; read row by row. What is in the rows is not looked into. An encrypted graph's file has a
 * table more, which is ours: its key, encrypted for each of its users.
 */
import { basename, dirname } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { z } from "zod";

/** One row; `addresses` is JSON text of the children's addresses, or null. */
export interface KvsRow {
  readonly addr: number;
  readonly content: string;
  readonly addresses: string | null;
}

/** An encrypted graph's key, as a user has it. */
export interface KvsKey {
  readonly user: string;
  readonly key: string;
}

/** The file can't be read as such a file, or can't be written. The message names it. */
export class KvsFileError extends Error {
  override readonly name: string = "KvsFileError";
}

const rowSchema = z.object({
  addr: z.int(),
  content: z.string(),
  addresses: z.string().nullable(),
});

const keysSchema = z.array(z.object({ user: z.string(), key: z.string() }));

export interface WriteOptions {
  /** Whether a file that is there may be replaced. */
  readonly overwrite: boolean;
}

/**
 * Writes rows into a new file. They go into a draft beside it (`NAME-….part`, which only a kill
 * leaves there), which takes the file's name when all are in it and on the disk. Only its owner may
 * read the file.
 *
 * Memory: a row at a time, and SQLite's cache of 2 MB.
 *
 * @param keys of an encrypted graph
 * @throws {KvsFileError} there is such a file and it must not be replaced, or SQLite's own reason
 * @throws what reading the rows throws; the file is then as it was before
 */
export async function writeKvsFile(
  path: string,
  rows: AsyncIterable<KvsRow>,
  { overwrite }: WriteOptions,
  keys?: readonly KvsKey[],
): Promise<void> {
  await mayWrite(path, overwrite);
  const draft = await makeDraft(path);
  try {
    await writeRows(draft, rows, keys);
    await sync(draft);
    await mayWrite(path, overwrite);
    await Deno.rename(draft, path);
  } catch (cause) {
    await Deno.remove(draft);
    throw cause;
  }
}

async function mayWrite(path: string, overwrite: boolean): Promise<void> {
  const there = await Deno.stat(path).catch((cause) => {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    throw cause;
  });
  if (there?.isDirectory) throw new KvsFileError(`Cannot write ${path} as it is a folder`);
  if (there && !overwrite) throw new KvsFileError(`Cannot write ${path} as it is there already`);
}

async function makeDraft(path: string): Promise<string> {
  const dir = dirname(path);
  try {
    return await Deno.makeTempFile({ dir, prefix: `${basename(path)}-`, suffix: ".part" });
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    throw new KvsFileError(`Cannot write ${path} as there is no folder ${dir}`, { cause });
  }
}

async function writeRows(
  path: string,
  rows: AsyncIterable<KvsRow>,
  keys: readonly KvsKey[] | undefined,
): Promise<void> {
  using file = new DatabaseSync(path);
  // Nothing to roll back: a draft that isn't whole is removed. (Deno's SQLite, 2.9, passes over OFF, and
  // leaves a journal beside the draft where the disk is full.)
  named(path, () => file.exec("PRAGMA journal_mode = MEMORY; BEGIN; " + CREATE));
  const insert = named(path, () => file.prepare("INSERT INTO kvs VALUES (?, ?, ?)"));
  for await (const { addr, content, addresses } of rows) {
    named(path, () => insert.run(addr, withoutHalves(content), addresses));
  }
  if (keys !== undefined) named(path, () => writeKeys(file, keys));
  named(path, () => file.exec("COMMIT"));
}

/**
 * JSON that says the same. SQLite's texts are UTF-8, which has no halves of characters, and would take
 * another character for each.
 */
function withoutHalves(json: string): string {
  if (json.isWellFormed()) return json;
  return json.replace(/\p{Cs}/gu, (half) => `\\u${half.charCodeAt(0).toString(16)}`);
}

function writeKeys(file: DatabaseSync, keys: readonly KvsKey[]): void {
  file.exec(CREATE_KEYS);
  const insert = file.prepare("INSERT INTO sync_keys VALUES (?, ?)");
  for (const { user, key } of keys) insert.run(user, key);
}

const CREATE_KEYS = "CREATE TABLE sync_keys (user TEXT PRIMARY KEY, key TEXT)";

/** As Logseq makes it. */
const CREATE = "CREATE TABLE kvs (addr INTEGER PRIMARY KEY, content TEXT, addresses JSON)";

async function sync(path: string): Promise<void> {
  using file = await Deno.open(path, { read: true, write: true });
  await file.sync();
}

/** A file that is there. Another program's changes show, so it should be closed there. */
export class KvsFile implements Disposable {
  readonly #path: string;
  readonly #file: DatabaseSync;
  readonly #select: StatementSync;

  private constructor(path: string, file: DatabaseSync, select: StatementSync) {
    this.#path = path;
    this.#file = file;
    this.#select = select;
  }

  /** @throws {KvsFileError} it isn't there, is no SQLite file, or has no table kvs */
  static open(path: string): KvsFile {
    const file = named(path, () => new DatabaseSync(path, { readOnly: true }));
    try {
      const select = named(
        path,
        () => file.prepare("SELECT addr, content, addresses FROM kvs WHERE addr = ?"),
      );
      return new KvsFile(path, file, select);
    } catch (cause) {
      file.close();
      throw cause;
    }
  }

  /** @throws {KvsFileError} the file is damaged, or the row is of other kinds */
  row(addr: number): KvsRow | undefined {
    const found = named(this.#path, () => this.#select.get(addr));
    if (found === undefined) return undefined;
    const row = rowSchema.safeParse(found);
    if (row.success) return row.data;
    throw new KvsFileError(
      `Cannot read row ${addr} of ${this.#path}: ${z.prettifyError(row.error)}`,
    );
  }

  /** `undefined`: it is no encrypted graph's. @throws {KvsFileError} the file is damaged */
  keys(): readonly KvsKey[] | undefined {
    return named(this.#path, () => {
      const table = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'sync_keys'";
      if (this.#file.prepare(table).get() === undefined) return undefined;
      return keysSchema.parse(this.#file.prepare("SELECT user, key FROM sync_keys").all());
    });
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}

/** SQLite's errors with the file's name. */
function named<Result>(path: string, work: () => Result): Result {
  try {
    return work();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new KvsFileError(`Cannot use ${path} as a graph's SQLite file: ${reason}`, { cause });
  }
}
