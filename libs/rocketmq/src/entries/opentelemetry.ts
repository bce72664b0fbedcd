// The entry `nestjs-rocketmq/opentelemetry`: the only one that loads the package @opentelemetry/api.

export type { AttributeNames } from '../opentelemetry/attributes.js';
export { OpenTelemetry, type OpenTelemetryOptions, openTelemetry } from '../opentelemetry/open-telemetry.js';
