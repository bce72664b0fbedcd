// The entry `nestjs-rocketmq/opentelemetry`: the only one that loads the package @opentelemetry/api.

export type { AttributeNames } from './attributes.js';
export { OpenTelemetry, type OpenTelemetryOptions, openTelemetry } from './open-telemetry.js';
