import { newGraphId } from "../../protocol/ids.ts";
import { openSocket } from "../../routes/socket.ts";
import { Hub } from "../../sync/hub.ts";
import { until, within } from "../support/deadline.ts";
import { UNSHARED } from "../support/share.ts";

const UPGRADE = [
  "GET / HTTP/1.1",
  "Host: localhost",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "",
  "",
].join("\r\n");

Deno.test("A client that goes before its socket is open leaves all the same", async () => {
  const never = (): Promise<never> => Promise.reject(new Error("was asked"));
  const left = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const gone = Promise.withResolvers<void>();
  const hub = new Hub();
  await using server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    async (request) => {
      asked.resolve();
      await gone.promise;
      return openSocket(
        request,
        newGraphId(),
        hub,
        {
          version: never,
          pull: never,
          txBatch: never,
          txEntries: never,
          speaksToday: () => {},
          edit: never,
        },
        {
          turn: never,
          share: UNSHARED,
          unread: UNSHARED,
          pulling: never,
          enter: () => () => {},
          leave: left.resolve,
        },
        50,
      );
    },
  );
  {
    using tcp = await Deno.connect({ hostname: "127.0.0.1", port: server.addr.port });
    await tcp.write(new TextEncoder().encode(UPGRADE));
    await within(asked.promise, "the request");
  }
  gone.resolve();
  await within(left.promise, "the client to leave");
  await within(until(() => hub.graphs().length === 0), "its socket to be gone");
});
