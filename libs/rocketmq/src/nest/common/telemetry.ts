// What the module hands to its producer and consumers for telemetry. It knows nothing of who does it.

import type { ConsumerTelemetrySource } from '../../consumer/model/consumer-telemetry.js';
import type { ProducerTelemetrySource } from '../../producer/producer-telemetry.js';

/** Traces and measures all clients of a connection; `openTelemetry()` of `nestjs-rocketmq/opentelemetry` gives one. */
export type RocketMQTelemetry = ProducerTelemetrySource & ConsumerTelemetrySource;
