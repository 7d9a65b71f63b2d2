/** What a user may do with a graph that he has access to. */
import { z } from "zod";

/** A manager may do all; a member reads and writes, but empties, replaces and removes nothing. */
export const roles = ["manager", "member"] as const;
export const roleSchema = z.enum(roles);
export type Role = z.output<typeof roleSchema>;
