import assert from "node:assert/strict";
import { parseUserId, type UserId } from "../../protocol/ids.ts";

/** The user of whom a token says this `sub`. */
export function userOf(sub: string): UserId {
  const user = parseUserId(sub);
  assert.ok(user !== undefined);
  return user;
}
