// Limits of Apache RocketMQ 5.5.0 with its default configuration (proxy `GrpcValidator` and `ProxyConfig`).

import { HOUR_MS, SECOND_MS } from '../../support/clock.js';

export const LIMITS = {
  topicNameLength: 127,
  /** 255 up to server 5.3.3. */
  consumerGroupNameLength: 120,
  /** Exactly this many bytes are accepted. */
  bodyBytes: 4 * 1024 * 1024,
  properties: 128,
  /** UTF-8 sum of property names and values, tag and keys. */
  propertiesBytes: 16_384,
  /** A message group must be shorter than this. */
  messageGroupBytes: 64,
  liteTopicLength: 64,
  /** The largest number that the field can carry. */
  priority: 2 ** 31 - 1,
  /** The largest number that the field can carry. */
  attempts: 2 ** 31 - 1,
  /** The queues of a topic on one broker: more than the server's own tools request, since a route lists each queue. */
  topicQueues: 1024,
  delayMs: 24 * HOUR_MS,
  recoveryDurationMs: HOUR_MS,
  receiveBatchSize: 32,
  invisibleDurationMinMs: 10 * SECOND_MS,
  invisibleDurationMaxMs: 12 * HOUR_MS,
  longPollingMinMs: 5 * SECOND_MS,
  longPollingMaxMs: 20 * SECOND_MS,
  /**
   * The largest request, or item of an answer: the server's own limit (`grpcMaxInboundMessageSize`). An item with a body of full size
   * and its properties exceeds the default of grpc-js, and a server can be configured to accept larger bodies (`maxMessageSize`), which
   * consumers must be able to receive.
   */
  receivedFrameBytes: 130 * 1024 * 1024,
} as const;

/** How many bytes of bodies a consumer of this library buffers by default. */
export const DEFAULT_BUFFERED_BYTES = 64 * 1024 * 1024;

/** How large a decompressed body may be for a consumer of this library by default: eight times the limit of a message. */
export const DEFAULT_MAX_UNPACKED_BYTES = 8 * LIMITS.bodyBytes;
