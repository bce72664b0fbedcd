// The target of spans, by OpenTelemetry's own environment variables. The SDK reads others by itself: service name, headers, sampler
// and the queue of spans.

import { ConfigurationError, type Environment, textOf } from '../environment.js';

/** The target of spans. */
export type SpanTarget = 'otlp' | 'console' | 'none';

const EXPORTERS = ['otlp', 'console', 'none'] as const;
const ENDPOINTS = ['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] as const;
const PROTOCOLS = ['OTEL_EXPORTER_OTLP_PROTOCOL', 'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL'] as const;

/**
 * `OTEL_TRACES_EXPORTER` is `otlp`, `console` or `none`. Default: `otlp` if an endpoint is set, otherwise `none`.
 * @throws ConfigurationError that names the variable
 */
export function spanTargetOf(env: Environment): SpanTarget {
  const endpoints = ENDPOINTS.map((variable) => endpointOf(env, variable)).filter((url) => url !== undefined);
  for (const variable of PROTOCOLS) {
    const protocol = textOf(env, variable);
    if (protocol === undefined || protocol === 'http/protobuf') continue;
    throw new ConfigurationError(
      `${variable} must be http/protobuf, which is all that the demos speak, not "${protocol}"`,
    );
  }
  const target = textOf(env, 'OTEL_TRACES_EXPORTER') ?? (endpoints.length > 0 ? 'otlp' : 'none');
  if (!isExporter(target)) {
    throw new ConfigurationError(`OTEL_TRACES_EXPORTER must be one of ${EXPORTERS.join(', ')}, not "${target}"`);
  }
  return target;
}

function isExporter(text: string): text is SpanTarget {
  return (EXPORTERS as readonly string[]).includes(text);
}

function endpointOf(env: Environment, variable: string): string | undefined {
  const text = textOf(env, variable);
  if (text === undefined) return undefined;
  // The error does not quote it, because it may contain a password.
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw new ConfigurationError(`${variable} must be a URL, as http://localhost:4318`);
  }
  return text;
}
