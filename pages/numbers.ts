/** Numbers and times in words, in English, as the pages are. */

const UNITS = [
  ["day", 24 * 60 * 60 * 1000],
  ["hour", 60 * 60 * 1000],
  ["minute", 60 * 1000],
  ["second", 1000],
] as const;

const COUNT = new Intl.NumberFormat("en");
const AGO = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

/** `12,345`. */
export function countText(count: number): string {
  return COUNT.format(count);
}

/** `3 minutes ago`; both in ms since the epoch. */
export function agoText(then: number, now: number): string {
  const past = Math.max(0, now - then);
  const [unit, ms] = UNITS.find(([, ms]) => past >= ms) ?? ["second", 1000];
  return AGO.format(-Math.floor(past / ms), unit);
}

/** `60 changes in the last 24 hours, at most 22 in an hour`. @param batches by the hour */
export function activityText(batches: readonly number[]): string {
  const all = batches.reduce((sum, count) => sum + count, 0);
  const hours = `in the last ${batches.length} hours`;
  if (all === 0) return `No changes ${hours}`;
  if (all === 1) return `1 change ${hours}`;
  return `${countText(all)} changes ${hours}, at most ${
    countText(Math.max(...batches))
  } in an hour`;
}
