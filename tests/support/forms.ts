/** Transactions as clients send them. */
import { txOf } from "../../logseq/outliner_forms.ts";

export { txOf };

/** Transit of a list with one form: the block of this uuid has this title. */
export function blockTx(uuid: string, title: string): string {
  return txOf(["^ ", "~:block/uuid", `~u${uuid}`, "~:block/title", title]);
}
