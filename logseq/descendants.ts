/** What is below blocks: their children, property values among them, and what is below those. */

import type { Db } from "../datascript/db.ts";
import { forEachItem } from "../datascript/source.ts";
import { PARENT } from "./attributes.ts";

/**
 * All below these entities, but for the spared ones and what is below them only. In no order to rely
 * on, each once, none of the entities themselves. Ends also where parents go round in a circle.
 *
 * @param moved entities that get another parent than they have here; `undefined`: one that is new
 * @throws {NodeMissing} load the node and call again
 */
export function descendantsOf(
  db: Db,
  entities: Iterable<number>,
  isSpared: (e: number) => boolean,
  moved: ReadonlyMap<number, number | undefined> = new Map(),
): readonly number[] {
  if (!db.schema.isIndexed(PARENT)) return [];
  const arrived = Map.groupBy(moved.keys(), (e) => moved.get(e));
  const childrenOf = (parent: number): readonly number[] => [
    ...db.entitiesWith(PARENT, parent).filter((e) => !moved.has(e)),
    ...arrived.get(parent) ?? [],
  ];
  const seen = new Set(entities);
  const below: number[] = [];
  for (let level: readonly number[] = [...seen]; level.length > 0;) {
    const children = forEachItem(level, childrenOf).flat();
    const fresh = [...new Set(children)].filter((e) => !seen.has(e));
    level = forEachItem(fresh, (e) => isSpared(e) ? [] : [e]).flat();
    for (const e of level) seen.add(e);
    below.push(...level);
  }
  return below;
}
