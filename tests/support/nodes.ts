/** The cache of nodes that a server has by default. */
import { settings, valueOf } from "../../config.ts";
import { NodeCache } from "../../sync/node_cache.ts";

export function newNodes(): NodeCache {
  return new NodeCache(valueOf(settings.nodeCacheBytes, {}));
}
