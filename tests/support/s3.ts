/** A real S3-compatible server (s3rver: it checks signatures) on a free port, over a temporary folder. */
import { Server } from "node:http";
import S3rver from "@20minutes/s3rver";
import { z } from "zod";
import type { S3Settings } from "../../assets/s3_store.ts";

/** The only account of s3rver. */
const ACCOUNT = "S3RVER";
const BUCKET = "graphs";

/** What s3rver's types leave out. */
const serverSchema = z.object({ httpServer: z.instanceof(Server) });

const addressSchema = z.object({ port: z.int() });

export class TestS3 implements AsyncDisposable {
  private constructor(
    readonly settings: S3Settings,
    readonly folder: string,
    private readonly close: () => Promise<void>,
  ) {}

  static async start(): Promise<TestS3> {
    const folder = await Deno.makeTempDir({ prefix: "s3" });
    const server = new S3rver({
      address: "127.0.0.1",
      port: 0,
      silent: true,
      directory: folder,
      vhostBuckets: false,
      configureBuckets: [{ name: BUCKET }],
    });
    const { port } = addressSchema.parse(await server.run());
    return new TestS3(
      {
        endpoint: `http://127.0.0.1:${port}`,
        bucket: BUCKET,
        region: "us-east-1",
        accessKeyId: ACCOUNT,
        secretAccessKey: ACCOUNT,
      },
      folder,
      async () => {
        const closed = server.close();
        // Else it waits for those that a client keeps for its next request: up to three minutes.
        serverSchema.parse(server).httpServer.closeAllConnections();
        await closed;
      },
    );
  }

  /** Paths of all objects, without those that the server keeps beside them. */
  async objects(): Promise<readonly string[]> {
    const paths: string[] = [];
    for await (const entry of Deno.readDir(`${this.folder}/${BUCKET}`)) {
      if (entry.name !== ".s3rver_uploads") paths.push(entry.name);
    }
    return paths;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
    await Deno.remove(this.folder, { recursive: true });
  }
}
