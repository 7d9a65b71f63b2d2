/** `/health`: is the process there. `/ready`: does its store answer too. Open to all. */
import { Hono } from "hono";
import { loggerFor } from "../telemetry/log.ts";
import { refuse } from "./refuse.ts";

/** A store that takes longer counts as one that doesn't answer. */
const PATIENCE_MS = 2000;

const log = loggerFor("http");

export function healthRoutes(): Hono {
  return new Hono().get("/", (c) => c.json({ ok: true }));
}

/** @param ready settles when the store has answered */
export function readyRoutes(ready: () => Promise<void>, patienceMs: number = PATIENCE_MS): Hono {
  return new Hono().get("/", async (c) => {
    try {
      await inTime(ready(), patienceMs);
      return c.json({ ok: true });
    } catch (cause) {
      log.warn("Cannot read the store", { cause });
      return refuse(c, "not ready");
    }
  });
}

async function inTime(answer: Promise<void>, ms: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Cannot wait longer than ${ms} ms`)), ms);
  });
  await Promise.race([answer, late]).finally(() => clearTimeout(timer));
}
