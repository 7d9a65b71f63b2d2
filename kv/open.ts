/** Opens the database, wherever it is: a file, memory, a denokv server, what Deno Deploy assigned. */
import { dirname } from "node:path";
import { loggerFor } from "../telemetry/log.ts";
import { gatherCommits } from "./commit.ts";
import { FORMAT, readFormat } from "./format.ts";
import { readinessKey } from "./keys.ts";

const log = loggerFor("kv");

/** Opening a file takes some ms. */
const LONG_MS = 5000;

/** Forgets everything at the end; each opening of it is a database of its own. */
export const MEMORY = ":memory:";

/** The database that Deno Deploy has assigned to the app; elsewhere Deno chooses a file. */
export const ASSIGNED = ":assigned:";

/** The database can't be opened, or written to; the message says what to change. */
export class OpenKvError extends Error {
  override readonly name = "OpenKvError";

  /** @param why goes on after "but" */
  constructor(path: string, why: string, options?: ErrorOptions) {
    super(`KV_PATH is ${path}, but ${why}`, options);
  }
}

/** Whether the database is behind KV Connect: a denokv server, or Deploy's from elsewhere. */
export function isAddress(path: string): boolean {
  return /^https?:/i.test(path);
}

/** Whether processes on other machines may have the same database open. */
export function isShared(path: string): boolean {
  return path === ASSIGNED || isAddress(path);
}

/** Whether the database is a file of this path. */
export function isFile(path: string): boolean {
  return path !== MEMORY && !isShared(path);
}

/**
 * Opens the database, and makes the folder that a file is to be in, for this user alone: everybody's
 * notes are in there. Commits are gathered where they are SQLite's. A server's access token comes from
 * DENO_KV_ACCESS_TOKEN, which Deno reads itself.
 *
 * @param path of a file, a server's address, MEMORY or ASSIGNED
 * @throws {OpenKvError} the file can't be made or is no database; the server can't be reached, or
 * takes no such token; a newer version of this server has written there
 */
export async function openKv(path: string): Promise<Deno.Kv> {
  const kv = await openAny(path);
  const format = await formatOf(kv, path);
  if (format === undefined || format <= FORMAT) return kv;
  kv.close();
  throw new OpenKvError(
    path,
    `a newer version of this server has written there (format ${format}; this one knows ` +
      `${FORMAT}): start the newer one, or set it to a copy from before`,
  );
}

/** @throws {OpenKvError} the file can't be read */
async function formatOf(kv: Deno.Kv, path: string): Promise<number | undefined> {
  // Deno's first read (2.9) waits for as long as another program has the file locked.
  const waits = setTimeout(
    () => log.warn("Waits for {path} to answer: is it locked?", { path }),
    LONG_MS,
  );
  try {
    return await readFormat(kv);
  } catch (cause) {
    if (!isFile(path) || !(cause instanceof TypeError || cause instanceof RangeError)) throw cause;
    kv.close();
    throw new OpenKvError(path, whatToChangeOfFile(cause.message), { cause });
  } finally {
    clearTimeout(waits);
  }
}

async function openAny(path: string): Promise<Deno.Kv> {
  if (path === ASSIGNED) return await Deno.openKv();
  if (isAddress(path)) return await connect(path);
  const kv = path === MEMORY ? await Deno.openKv(path) : await openFile(path);
  gatherCommits(kv);
  return kv;
}

/**
 * The same of a database that must be there: a file is not made.
 *
 * @throws {OpenKvError}
 */
export async function openKvThere(path: string): Promise<Deno.Kv> {
  if (isFile(path) && !await isThere(path)) {
    throw new OpenKvError(path, "no file is there: set it as the server has it");
  }
  return await openKv(path);
}

async function openFile(path: string): Promise<Deno.Kv> {
  try {
    await Deno.mkdir(dirname(path), { recursive: true, mode: 0o700 });
    return await Deno.openKv(path);
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause;
    const why = await isFolder(path)
      ? "that is a folder: set it to the path of a file, which may be in there"
      : whatToChangeOfFile(cause.message);
    throw new OpenKvError(path, why, { cause });
  }
}

/**
 * Tries a commit in a file: where this user may only read it, SQLite opens it all the same, and then
 * refuses each commit.
 *
 * @throws {OpenKvError} the file can't be written to
 */
export async function mustTakeCommits(kv: Deno.Kv, path: string): Promise<void> {
  if (!isFile(path)) return;
  try {
    await kv.delete(readinessKey());
  } catch (cause) {
    // What may pass, as a lock or a full disk, is no reason not to serve. By Deno's words (2.9).
    if (!(cause instanceof Error && cause.message.includes("read-only"))) return;
    throw new OpenKvError(
      path,
      "that file is read-only: let this user write to it and to those beside it, or set it to the " +
        "path of another",
      { cause },
    );
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (cause) {
    // What else there may be, opening it tells in better words.
    return !(cause instanceof Deno.errors.NotFound);
  }
}

/** Whether there is a folder of that path, which SQLite's error doesn't tell. */
async function isFolder(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch {
    // NotFound, or nobody may look: what it couldn't be opened for says more.
    return false;
  }
}

/** Goes by SQLite's words, since Deno (2.9) has no class of error for these. */
function whatToChangeOfFile(message: string): string {
  if (message.includes("file is not a database")) {
    return "that file is no database: set it to the path of one, or of a file that isn't there yet";
  }
  if (message.includes("malformed") || message.includes("deserialize")) {
    return "the database there is damaged: put a copy of it from before in the place of it and of the " +
      `files -wal and -shm beside it (${message})`;
  }
  if (message.includes("disk is full") || message.includes("disk I/O error")) {
    return `its disk is full, or fails: make room there (${message})`;
  }
  if (message.includes("database is locked")) {
    return `another program keeps it locked: end that one (${message})`;
  }
  return "there can't be a database: set it to the path of a file that may be made, read and " +
    `written by this user (${message})`;
}

async function connect(url: string): Promise<Deno.Kv> {
  try {
    return await Deno.openKv(url);
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause;
    throw new OpenKvError(url, whatToChangeOfServer(cause.message), { cause });
  }
}

/** Goes by the words of Deno's client (2.9), which has one class of error for all of these. */
function whatToChangeOfServer(message: string): string {
  if (message.startsWith("Missing DENO_KV_ACCESS_TOKEN")) {
    return "DENO_KV_ACCESS_TOKEN is not set: set it to that server's access token";
  }
  if (/status 40[13] /.test(message)) {
    return "the server there refuses DENO_KV_ACCESS_TOKEN: set it to that server's access token";
  }
  if (message.includes("failed to connect")) {
    return `no server answers there: start it, or correct the address (${message})`;
  }
  return `no KV Connect server is there: correct the address (${message})`;
}
