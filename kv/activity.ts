/**
 * How busy a graph was of late: accepted batches by the hour, for 24 hours. It is a part of the head
 * (head.ts), which every batch writes anyway, so it costs no read and no write of its own.
 */
import { z } from "zod";

/** Hours that are counted, the one under way among them. */
export const ACTIVITY_HOURS = 24;

const HOUR_MS = 60 * 60 * 1000;

const countSchema = z.int().nonnegative();

/**
 * `hour`: the hour of the last batch, in hours since the epoch. `counts`: the batches of that hour,
 * of the hour before it, and so on; what lies behind the last one that isn't zero is left out.
 */
export const activitySchema = z.object({
  hour: z.int().nonnegative(),
  counts: z.array(countSchema).max(ACTIVITY_HOURS).readonly(),
});
export type Activity = Readonly<z.output<typeof activitySchema>>;

/**
 * The activity with one batch more.
 *
 * @param now ms since the epoch; a clock that went back counts into the hour of the last batch
 */
export function withBatch(activity: Activity | undefined, now: number): Activity {
  const hour = Math.max(hourOf(now), activity?.hour ?? 0);
  const [current = 0, ...before] = countsAt(activity, hour);
  const counts = [current + 1, ...before];
  return { hour, counts: counts.slice(0, 1 + counts.findLastIndex((count) => count > 0)) };
}

/**
 * Batches in each of the last 24 hours, the oldest hour first and the one under way last.
 *
 * @param now ms since the epoch
 */
export function recentBatches(activity: Activity | undefined, now: number): readonly number[] {
  return countsAt(activity, Math.max(hourOf(now), activity?.hour ?? 0)).toReversed();
}

/** The counts as of an hour that is not before the last batch's; the newest first, 24 of them. */
function countsAt(activity: Activity | undefined, hour: number): readonly number[] {
  const since = activity === undefined ? 0 : hour - activity.hour;
  return Array.from({ length: ACTIVITY_HOURS }, (_, i) => activity?.counts[i - since] ?? 0);
}

function hourOf(now: number): number {
  return Math.floor(now / HOUR_MS);
}
