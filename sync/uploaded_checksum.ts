/**
 * The checksum of a graph that was just uploaded: ours, over what came in. The client tells one too,
 * which may well differ, since it is over its own database before titles that are long were taken
 * out of it: so it is compared, and not believed.
 */
import { commitHead, readHead } from "../kv/head.ts";
import type { Checksum, GraphId } from "../protocol/ids.ts";
import { loggerFor } from "../telemetry/log.ts";
import { wholeChecksum } from "./checksum.ts";
import type { Databases } from "./database.ts";
import { settledWithin } from "./patience.ts";

const log = loggerFor("upload");

/**
 * So long a client waits for it: what it asks next, it is to be told with the checksum. It reads the whole
 * graph, so of a large one the client is answered before, and the sum goes on in the background.
 */
const WAIT_MS = 10_000;

/** Sums what was uploaded. */
export class UploadedChecksums {
  readonly #kv: Deno.Kv;
  readonly #databases: Databases;
  readonly #running = new Set<Promise<void>>();

  constructor(kv: Deno.Kv, databases: Databases) {
    this.#kv = kv;
    this.#databases = databases;
  }

  /**
   * A graph was uploaded. Its checksum is in its head when this answers, or of a large one soon after,
   * unless a batch or a reset comes first: a batch sums the graph itself.
   *
   * @param told by the client, if it did
   */
  async uploaded(graph: GraphId, told: Checksum | undefined): Promise<void> {
    const work = this.#sum(graph, told).catch((cause) => {
      log.warn("Cannot sum {graph}, which was uploaded; the next batch does it", { graph, cause });
    }).finally(() => this.#running.delete(work));
    this.#running.add(work);
    await settledWithin(WAIT_MS, work);
  }

  /** Answers when no sum is under way. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  async #sum(graph: GraphId, told: Checksum | undefined): Promise<void> {
    const head = await readHead(this.#kv, graph);
    if (head === undefined || head.checksum !== "unknown") return;
    const checksum = await wholeChecksum(this.#databases, await this.#databases.open(head));
    if (told !== undefined && told !== checksum) {
      log.warn("The client that uploaded {graph} told the checksum {told}: ours is {checksum}", {
        graph,
        told,
        checksum,
      });
    }
    await commitHead(this.#kv, head, { ...head, checksum });
  }
}
