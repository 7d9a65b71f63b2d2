/** A worker that is one more server on a file: `start`ed by a message, answers with its address. */
import { parseConfig } from "../config.ts";
import { openKv } from "../kv/open.ts";
import { start } from "../main.ts";

/** A worker's own scope, as far as it is used. */
interface Scope {
  onmessage: ((event: MessageEvent<Record<string, string>>) => void) | null;
  postMessage(message: string): void;
}

function isScope(scope: object): scope is Scope {
  return "postMessage" in scope;
}

const scope: object = globalThis;
if (isScope(scope)) {
  scope.onmessage = async ({ data }): Promise<void> => {
    const config = parseConfig(data);
    scope.postMessage((await start(config, await openKv(config.kvPath))).url);
  };
}
