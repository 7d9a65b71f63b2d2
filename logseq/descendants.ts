/** What is below blocks: their children, property values among them, and what is below those. */

import type { Db } from "../datascript/db.ts";
import { forEachItem } from "../datascript/source.ts";
import { PARENT } from "./attributes.ts";

/**
 * All below these entities, but for the spared ones and what is below them only. In no order to rely
 * on, each once, none of the entities themselves. Ends also where parents go round in a circle.
 *
 * @throws {NodeMissing} load the node and call again
 */
export function descendantsOf(
  db: Db,
  entities: Iterable<number>,
  spared: ReadonlySet<number>,
): readonly number[] {
  if (!db.schema.isIndexed(PARENT)) return [];
  const seen = new Set(entities);
  const below: number[] = [];
  for (let level: readonly number[] = [...seen]; level.length > 0;) {
    const children = forEachItem(level, (e) => db.entitiesWith(PARENT, e)).flat();
    level = [...new Set(children)].filter((e) => !seen.has(e) && !spared.has(e));
    for (const e of level) seen.add(e);
    below.push(...level);
  }
  return below;
}
