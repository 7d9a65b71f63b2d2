/** Gzip for answers that are large and made once. */
import { createGzip } from "node:zlib";

/** Of 8.5 MB of rows: 1.57 in place of 1.46 MB, in 0.4 of the time that the platform's own stream takes. */
const LEVEL = 3;

/**
 * As CompressionStream, which has no level. node's stream made into one of the web (`Duplex.toWeb`, Deno
 * 2.9) reads on and on, however little is asked for.
 */
export function gzip(): TransformStream<Uint8Array, Uint8Array> {
  const stream = createGzip({ level: LEVEL });
  return new TransformStream({
    start(controller): void {
      stream.on("data", (bytes) => {
        try {
          controller.enqueue(bytes);
        } catch {
          // TypeError: the reader has left while this piece was made.
          stream.destroy();
        }
      });
      stream.on("error", (cause) => controller.error(cause));
    },
    async transform(bytes): Promise<void> {
      await new Promise<void>((resolve) => stream.write(bytes, () => resolve()));
    },
    async flush(): Promise<void> {
      await new Promise<void>((resolve) => stream.once("end", resolve).end());
    },
  });
}
