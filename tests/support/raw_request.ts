/** Requests of which a test sends as much as it likes, on a connection of their own. */
import type { TestServer } from "./server.ts";

/**
 * Sends a request's head, with a token; its body, and the end of the connection, are the caller's.
 *
 * @param start method and path
 * @param headers a line each
 * @param as the token's user
 */
export async function sendHead(
  server: TestServer,
  start: string,
  headers: readonly string[],
  as?: string,
): Promise<Deno.TcpConn> {
  const { hostname, port } = new URL(server.url);
  const head = [
    `${start} HTTP/1.1`,
    `host: ${hostname}`,
    `authorization: Bearer ${await server.token(as)}`,
    ...headers,
    "\r\n",
  ];
  const connection = await Deno.connect({ hostname, port: Number(port) });
  await connection.write(new TextEncoder().encode(head.join("\r\n")));
  return connection;
}
