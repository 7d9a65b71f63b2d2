/** Numbers as the protocol's ids. */
import assert from "node:assert/strict";
import { type Addr, parseAddr, parseT, type T } from "../../protocol/ids.ts";

export function version(t: number): T {
  const parsed = parseT(t);
  assert.ok(parsed !== undefined);
  return parsed;
}

export function address(addr: number): Addr {
  const parsed = parseAddr(addr);
  assert.ok(parsed !== undefined);
  return parsed;
}
