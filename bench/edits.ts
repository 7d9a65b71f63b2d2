/** Small edits all over a graph, in the forms that Logseq's outliner writes them in. */
import { add, ref, txOf } from "../logseq/outliner_forms.ts";
import { readBatches } from "../tests/support/fixtures.ts";

/** A block of a graph, and where it is: each a UUID. */
export interface Block {
  readonly uuid: string;
  readonly page: string;
  readonly parent: string;
}

/** What the outliner does to a block, as a tx; `i` makes it another one each time. */
export type Edit = (block: Block, i: number) => string;

const EPOCH = 1_795_532_000_000;

/** Another title: two forms. */
export function titled({ uuid }: Pick<Block, "uuid">, i: number): string {
  return txOf(
    add(ref(uuid), "title", `edit ${i} of a block in a graph`),
    add(ref(uuid), "updated-at", EPOCH + i),
  );
}

/** A new block below this one. */
export function inserted({ uuid, page }: Block, i: number): string {
  return txOf(
    add(-1, "uuid", `~u${crypto.randomUUID()}`),
    add(-1, "title", `block ${i} below another`),
    add(-1, "page", ref(page)),
    add(-1, "parent", ref(uuid)),
    add(-1, "order", "a0"),
    add(-1, "created-at", EPOCH + i),
    add(-1, "updated-at", EPOCH + i),
  );
}

/** The block becomes one of its page's, behind all others there. */
export function moved({ uuid, page, parent }: Block, i: number): string {
  return txOf(
    ["~:db/retract", ref(uuid), "~:block/parent", ref(parent)],
    add(ref(uuid), "parent", ref(page)),
    add(ref(uuid), "order", `zz${i.toString(36)}V`),
    add(ref(uuid), "updated-at", EPOCH + i),
  );
}

/** The i-th of a row of picks that come to every place of a list before they come to one again. */
export function picked<Item>(list: readonly Item[], i: number): Item {
  const item = list[(i * 7919) % list.length];
  if (item === undefined) throw new RangeError("Cannot pick from an empty list");
  return item;
}

/** The i-th other title, of the blocks that recorded batches name. */
export function editsOf(ops: string): (i: number) => string {
  const blocks = readBatches(ops).flatMap(({ txs }) =>
    [...txs.join("").matchAll(/\["~:block\/uuid","~u([0-9a-f-]{36})"\]/g)].map(([, uuid = ""]) => ({
      uuid,
    }))
  );
  return (i) => titled(picked(blocks, i), i);
}
