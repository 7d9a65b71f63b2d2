/** What a graph on a device has for itself: a batch of today's clients may name it, none may change it. */

/** Attributes that Logseq has given up, or that each device computes for itself. */
export const RETIRED: ReadonlySet<string> = new Set([
  "block/path-refs",
  "block/pre-block?",
  "logseq.property.embedding/hnsw-label",
  "logseq.property.embedding/hnsw-label-updated-at",
]);

/** Idents of the entities that say something of one device's copy. */
export const LOCAL_ENTITIES: ReadonlySet<string> = new Set([
  "logseq.kv/graph-uuid",
  "logseq.kv/local-graph-uuid",
  "logseq.kv/graph-local-tx",
  "logseq.kv/remote-schema-version",
  "logseq.kv/latest-code-lang",
  "logseq.kv/graph-backup-folder",
  "logseq.kv/graph-last-gc-at",
]);
