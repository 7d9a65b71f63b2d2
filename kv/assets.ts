/** The names of a graph's files: what each one is, and which blob has its bytes. */
import { z } from "zod";
import { storeNames } from "../protocol/asset.ts";
import { blobIdSchema } from "../protocol/id_schema.ts";
import type { AssetName, GraphId } from "../protocol/ids.ts";
import { checkOf, type KvSet, objectSet, type Outcome } from "./change.ts";
import { commit } from "./commit.ts";
import { assetKey, assetsPrefix, looseKey, parseAssetKey } from "./keys.ts";
import { listPlaces } from "./list.ts";
import { droppedSet, type Loose, looseGuard } from "./loose.ts";
import { parseFound } from "./stored.ts";

const assetSchema = z.object({
  blob: blobIdSchema,
  /** Where the blob is. */
  store: z.enum(storeNames),
  /** Bytes. */
  size: z.int().nonnegative(),
  /** Of the bytes; hex. */
  sha256: z.string(),
  /** As the client gave them. */
  contentType: z.string().exactOptional(),
  checksum: z.string().exactOptional(),
  /** Ms since the epoch. */
  createdAt: z.int().nonnegative(),
});

/** A file, all of whose bytes are stored. */
export type Asset = Readonly<z.output<typeof assetSchema>>;

/** What a name had when it was read: a file or none. The guard holds as long as it has just that. */
export interface NamedAsset {
  readonly graph: GraphId;
  readonly name: AssetName;
  readonly asset: Asset | undefined;
  readonly guard: Deno.AtomicCheck;
}

/**
 * What the name has. One strong read.
 *
 * @throws {CorruptValueError}
 */
export async function readAsset(
  kv: Deno.Kv,
  graph: GraphId,
  name: AssetName,
): Promise<NamedAsset> {
  return parseNamed(graph, name, await kv.get(assetKey(graph, name)));
}

/**
 * All files of a graph, by name.
 *
 * @throws {CorruptValueError}
 */
export async function* listAssets(kv: Deno.Kv, graph: GraphId): AsyncGenerator<NamedAsset> {
  const places = listPlaces(kv, { prefix: assetsPrefix(graph) }, parseAssetKey);
  for await (const [{ name }, entry] of places) yield parseNamed(graph, name, entry);
}

/**
 * Gives an uploaded blob the name, in one commit: its marker goes, and the blob that had the name
 * gets one. A conflict: the upload was ended, the graph is gone, or the name has another file by now.
 *
 * @param graphGuard as read when the upload began
 */
export async function nameBlob(
  kv: Deno.Kv,
  named: NamedAsset,
  upload: Loose,
  facts: Omit<Asset, "blob" | "store">,
  graphGuard: Deno.AtomicCheck,
): Promise<Outcome> {
  const { blob } = upload.place;
  const asset: Asset = { ...facts, blob, store: upload.store };
  return await commit(kv, {
    sets: [
      objectSet(assetKey(named.graph, named.name), asset),
      ...dropped(named, facts.createdAt),
    ],
    deletes: [looseKey(upload.place)],
    checks: [graphGuard, named.guard, looseGuard(upload)],
  });
}

/** Takes the name away, in one commit; the blob that had it is marked. */
export async function unnameBlob(
  kv: Deno.Kv,
  named: NamedAsset,
  since: number,
): Promise<Outcome> {
  return await commit(kv, {
    sets: dropped(named, since),
    deletes: [assetKey(named.graph, named.name)],
    checks: [named.guard],
  });
}

function dropped({ graph, asset }: NamedAsset, since: number): readonly KvSet[] {
  if (asset === undefined) return [];
  return [droppedSet({ graph, blob: asset.blob }, asset.store, since)];
}

function parseNamed(
  graph: GraphId,
  name: AssetName,
  entry: Deno.KvEntryMaybe<unknown>,
): NamedAsset {
  return { graph, name, asset: parseFound(assetSchema, entry), guard: checkOf(entry) };
}
