/**
 * A file that is moved, deleted or replaced under the process that has it open. What is committed goes
 * into the one that has no name any more: nothing fails, and all of it is gone when the process ends.
 */

/** @returns rejects if the path no longer leads to the file that it leads to now */
export async function lookForFile(path: string): Promise<() => Promise<void>> {
  const { dev, ino } = await Deno.stat(path);
  return async () => {
    const now = await Deno.stat(path).catch(() => undefined);
    if (now?.dev === dev && now.ino === ino) return;
    const what = now === undefined ? "moved or deleted" : "replaced";
    throw new Error(
      `KV_PATH is ${path}, but that file was ${what} under this process: what clients send now is ` +
        "lost when it ends, unless the old file is put back",
    );
  };
}
