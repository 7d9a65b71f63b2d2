/** Where a page's links begin: they are relative, so that they hold below any path of a proxy's. */
import { createContext } from "hono/jsx";

/** `./`, or `../` for each folder that the page is below the server's root. */
export const Root = createContext("./");

/** From a page at this path, as the server sees it, to the server's root. */
export function rootFrom(path: string): string {
  return "../".repeat(path.split("/").length - 2) || "./";
}
