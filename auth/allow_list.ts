/** Who may use this server at all, of all those whom the provider knows. */
import { foldEmail } from "../protocol/ids.ts";
import type { VerifiedUser } from "./user.ts";

export type MayUse = (user: VerifiedUser) => boolean;

/**
 * Those whose `sub`, or whose verified e-mail whatever its case (foldEmail), is on the list;
 * everyone if the list is empty.
 */
export function allowList(entries: readonly string[]): MayUse {
  if (entries.length === 0) return () => true;
  const ids = new Set(entries);
  const emails = new Set(entries.map(foldEmail));
  return ({ id, email }) => ids.has(id) || (email !== undefined && emails.has(foldEmail(email)));
}
