/**
 * The floor of `bench/fanout.ts`, a program: a WebSocket server without anything else. `/group` puts
 * a socket into a group; a message `t` there is sent on, as a notice, to the group's others, and
 * answered.
 */
// deno-lint-ignore-file no-console
if (import.meta.main) {
  const groups = new Map<string, Set<WebSocket>>();
  Deno.serve({
    port: 0,
    hostname: "127.0.0.1",
    onListen: ({ port }) => console.log(`"url":"http://127.0.0.1:${port}"`),
  }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    const { pathname } = new URL(request.url);
    const group = groups.get(pathname) ?? new Set();
    groups.set(pathname, group.add(socket));
    socket.onmessage = ({ data }: MessageEvent<string>): void => {
      const t = Number(data);
      for (const other of group) {
        if (other !== socket) other.send(JSON.stringify({ type: "changed", t }));
      }
      socket.send(JSON.stringify({ type: "tx/batch/ok", t }));
    };
    return response;
  });
}
