/** What an entry says that it is for, as far as it makes a difference (upstream.md §1.9). */

/** Deletes of what is gone already are done; they take all below with them. */
export function isDelete(op: string | undefined): boolean {
  return op === "delete-blocks" || op === "delete-page";
}

/** Entries that a client makes of its own accord: where what they are about is gone, so is the reason. */
export function isRepair(op: string | undefined): boolean {
  return op === "rebase" || op === "fix";
}
