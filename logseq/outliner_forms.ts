/** Forms as Logseq's outliner writes them, in Transit's JSON. */

/** `[:block/uuid u]`. */
export function ref(uuid: string): readonly string[] {
  return ["~:block/uuid", `~u${uuid}`];
}

/** `[:db/add e :block/attribute v]`, entity and value in Transit's JSON. */
export function add(entity: unknown, attribute: string, value: unknown): readonly unknown[] {
  return ["~:db/add", entity, `~:block/${attribute}`, value];
}

/** Transit of a list of forms that are written in Transit's JSON. */
export function txOf(...forms: readonly unknown[]): string {
  return JSON.stringify(["~#list", forms]);
}
