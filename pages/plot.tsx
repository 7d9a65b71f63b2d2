/** A small plot of a graph's last 24 hours: a bar for each hour. What it says stands below in words. */
import type { JSX } from "hono/jsx/jsx-runtime";

const BAR = 8;
const GAP = 2;
const HEIGHT = 40;
/** An hour without a batch shows as a line, so that a quiet day doesn't look like no plot. */
const LEAST = 1;

/** @param batches by the hour, the one under way last */
export function ActivityPlot({ batches }: { readonly batches: readonly number[] }): JSX.Element {
  const most = Math.max(1, ...batches);
  const width = batches.length * (BAR + GAP) - GAP;
  return (
    <svg
      class="plot"
      viewBox={`0 0 ${width} ${HEIGHT}`}
      aria-hidden="true"
      preserveAspectRatio="none"
    >
      {batches.map((count, i) => {
        const height = Math.max(LEAST, (count / most) * HEIGHT);
        return (
          <rect
            class={count === 0 ? "none" : undefined}
            x={i * (BAR + GAP)}
            y={HEIGHT - height}
            width={BAR}
            height={height}
          />
        );
      })}
    </svg>
  );
}
