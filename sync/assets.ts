/**
 * A graph's files: taken in, handed out, removed. Bytes are stored as a blob that no name has; when
 * all are there and are what was promised, one commit gives it the name. So a name has the old file
 * or the new one, whole, and who reads the old one goes on with its blob.
 */
import { Intake, type UploadRefusal, UploadRefusedError } from "../assets/intake.ts";
import { storeOf } from "../assets/store.ts";
import { type Asset, nameBlob, readAsset, unnameBlob } from "../kv/assets.ts";
import { readGraphGuard } from "../kv/graphs.ts";
import { readLoose } from "../kv/loose.ts";
import type { AssetHeaders } from "../protocol/asset.ts";
import type { AssetName, GraphId } from "../protocol/ids.ts";
import { attempted, untilSettled } from "./settle.ts";
import { type BlobUpload, type BlobUploadDeps, openBlobUpload } from "./blob_upload.ts";

/** A file as a client sends it. */
export interface SentAsset {
  readonly headers: AssetHeaders;
  /** Best a byte stream; `null`: no bytes. */
  readonly body: ReadableStream<Uint8Array> | null;
  readonly maxBytes: number;
  /** Why its sender may not have it stored any more; asked when all bytes are there. */
  readonly refusalNow?: () => Promise<"forbidden" | "not found" | undefined>;
}

/** A file to be read: what it is, and its bytes with start ≤ i < end, read as they are taken. */
export interface OpenAsset {
  readonly asset: Asset;
  readonly read: (start: number, end: number) => AsyncGenerator<Uint8Array>;
}

/**
 * Takes a file in under this name. It is there when this answers `stored`; else the name has what it
 * had, and nothing of the upload is left. Of two uploads to one name the later commit wins.
 *
 * @returns `undefined`: there is no such graph, or no longer
 * @throws {Error} the store failed; what is left of the upload is swept
 */
export async function putAsset(
  deps: BlobUploadDeps,
  graph: GraphId,
  name: AssetName,
  { headers, body, maxBytes, refusalNow }: SentAsset,
): Promise<"stored" | UploadRefusal | undefined> {
  const { length, sha256, ...kept } = headers;
  let upload: BlobUpload | undefined;
  try {
    const intake = new Intake({ maxBytes, length, sha256 });
    upload = await openBlobUpload(deps, graph);
    if (upload === undefined) return undefined;
    await upload.write(intake.checked(body));
    const refusal = await refusalNow?.();
    if (refusal !== undefined) throw new UploadRefusedError(refusal);
    await giveName(deps, name, upload, { ...kept, ...intake.seen });
    return "stored";
  } catch (cause) {
    await upload?.discard();
    if (cause instanceof UploadRefusedError) return cause.refusal;
    // Removed while the file came in: that is why it could not be stored.
    if (await readGraphGuard(deps.kv, graph) === undefined) return undefined;
    throw cause;
  }
}

async function giveName(
  { kv, now }: BlobUploadDeps,
  name: AssetName,
  upload: BlobUpload,
  facts: Omit<Asset, "blob" | "store" | "createdAt">,
): Promise<void> {
  const { graph, blob } = upload.place;
  await untilSettled(`name a file of ${graph}`, async () => {
    const named = await readAsset(kv, graph, name);
    // An earlier attempt may have been committed, though its outcome was unknown.
    if (named.asset?.blob === blob) return { done: undefined };
    const loose = await readLoose(kv, upload.place);
    // And the file may have been replaced or removed since.
    if (loose?.why === "dropped") return { done: undefined };
    const guard = await readGraphGuard(kv, graph);
    if (loose?.why !== "upload" || guard === undefined) {
      throw new Error("Cannot name a blob whose upload was ended");
    }
    const outcome = await nameBlob(kv, named, loose, { ...facts, createdAt: now() }, guard);
    return attempted(outcome, undefined);
  });
}

/** The file that has this name now; it can be read to its end although the name gets another. */
export async function openAsset(
  { kv, stores }: BlobUploadDeps,
  graph: GraphId,
  name: AssetName,
): Promise<OpenAsset | undefined> {
  const { asset } = await readAsset(kv, graph, name);
  if (asset === undefined) return undefined;
  const store = storeOf(stores, asset.store);
  const place = { graph, blob: asset.blob };
  return { asset, read: (start, end) => store.read(place, start, end) };
}

/** Removes the file of this name, if it has one. Its blob is swept when nobody can be reading it. */
export async function removeAsset(
  { kv, now }: Pick<BlobUploadDeps, "kv" | "now">,
  graph: GraphId,
  name: AssetName,
): Promise<void> {
  await untilSettled(`remove a file of ${graph}`, async () => {
    const named = await readAsset(kv, graph, name);
    if (named.asset === undefined) return { done: undefined };
    const outcome = await unnameBlob(kv, named, now());
    return attempted(outcome, undefined);
  });
}
