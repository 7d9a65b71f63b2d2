/** May this user touch this graph: 404 before 403, as protocol.md §2 has it. */
import { type GraphId, parseGraphId, type UserId } from "../protocol/ids.ts";
import type { Role } from "../protocol/role.ts";

/** What a user is to a graph. `missing`: there is no such graph, or it was deleted. */
export type GraphAccess = Role | "forbidden" | "missing";
/** Looks a graph's creator and members up. */
export type LookUpAccess = (user: UserId, graph: GraphId) => Promise<GraphAccess>;

export type AccessResult =
  | { readonly ok: true; readonly graph: GraphId; readonly role: Role }
  | { readonly ok: false; readonly refusal: "not found" | "forbidden" };

/** The graph that an id out of a URL names, if it is a UUID, exists, and is open to the user. */
export async function accessTo(
  lookUp: LookUpAccess,
  user: UserId,
  id: string,
): Promise<AccessResult> {
  const graph = parseGraphId(id);
  if (graph === undefined) return { ok: false, refusal: "not found" };
  const access = await lookUp(user, graph);
  switch (access) {
    case "manager":
    case "member":
      return { ok: true, graph, role: access };
    case "missing":
      return { ok: false, refusal: "not found" };
    case "forbidden":
      return { ok: false, refusal: "forbidden" };
    default:
      return access satisfies never;
  }
}
