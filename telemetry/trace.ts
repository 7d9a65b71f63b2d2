/**
 * Spans, for Deno's own OpenTelemetry support (`OTEL_DENO=true`), which exports them and makes those
 * of HTTP itself. Without it every call here does nothing.
 *
 * Deno's spans have the whole URL, token and all, as attributes that can't be replaced: a second
 * value stands beside the first. OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT=1 leaves them out (README).
 */
import { type Attributes, SpanStatusCode, trace } from "@opentelemetry/api";

const tracer = trace.getTracer("logseq-sync");

/**
 * Work as a span of its own; what it throws marks the span as failed.
 *
 * @param attributesOf what is to be told of the outcome
 */
export async function traced<Result>(
  name: string,
  work: () => Promise<Result>,
  attributesOf: (result: Result) => Attributes,
): Promise<Result> {
  return await tracer.startActiveSpan(name, async (span) => {
    try {
      const result = await work();
      span.setAttributes(attributesOf(result));
      return result;
    } catch (thrown) {
      span.setStatus({ code: SpanStatusCode.ERROR });
      throw thrown;
    } finally {
      span.end();
    }
  });
}

/** Names the span of the request under way by its route's pattern: Deno knows only the method. */
export function nameRequestSpan(method: string, route: string): void {
  const span = trace.getActiveSpan();
  span?.updateName(`${method} ${route}`);
  span?.setAttribute("http.route", route);
}
