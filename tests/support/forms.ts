/** Transactions as clients send them. */

/** Transit of a list with one form: the block of this uuid has this title. */
export function blockTx(uuid: string, title: string): string {
  return JSON.stringify(["~#list", [
    ["^ ", "~:block/uuid", `~u${uuid}`, "~:block/title", title],
  ]]);
}

/** Transit of a list of forms that are written in Transit's JSON. */
export function txOf(...forms: readonly unknown[]): string {
  return JSON.stringify(["~#list", forms]);
}
