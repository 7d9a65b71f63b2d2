import { forEachItem, nodeAt } from "../../datascript/source.ts";
import type { Tree, TreeRules } from "../../datascript/tree.ts";
import { drive, walkTree } from "../../datascript/tree_check.ts";

/**
 * Holds a tree against its invariants; costs a read of all of it.
 *
 * @returns what is wrong, a line each; empty for a sound tree
 * @throws {NodeMissing}
 */
export function checkTree({ source, compare, maxKeys }: TreeRules, tree: Tree): readonly string[] {
  const problems: string[] = [];
  const shape = { compare, minKeys: maxKeys >>> 1, maxKeys };
  const walk = walkTree(tree, shape, {
    problem: ({ path }, what) => problems.push(`node ${path || "root"} ${what}`),
    datom: () => {},
  });
  const { count } = drive(walk, (refs) => forEachItem(refs, (ref) => nodeAt(source, ref)));
  if (count !== tree.count) problems.push(`${count} datoms, but a count of ${tree.count}`);
  return problems;
}
