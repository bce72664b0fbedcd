// What the module passes to its producer and consumers for telemetry. It does not depend on OpenTelemetry.

import type { ConsumerTelemetrySource } from '../../consumer/model/consumer-telemetry.js';
import type { ProducerTelemetrySource } from '../../producer/producer-telemetry.js';

/** Traces and measures all clients of a connection; created by `openTelemetry()` of `nestjs-rocketmq/opentelemetry`. */
export type RocketMQTelemetry = ProducerTelemetrySource & ConsumerTelemetrySource;
