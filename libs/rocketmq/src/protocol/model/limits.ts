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
  /** The largest number that the field can carry. */
  priority: 2 ** 31 - 1,
  delayMs: 24 * HOUR_MS,
  recoveryDurationMs: HOUR_MS,
  receiveBatchSize: 32,
  invisibleDurationMinMs: 10 * SECOND_MS,
  invisibleDurationMaxMs: 12 * HOUR_MS,
  longPollingMinMs: 5 * SECOND_MS,
  longPollingMaxMs: 20 * SECOND_MS,
  /**
   * The most that a request or an item of an answer may be: what the server takes itself (`grpcMaxInboundMessageSize`). An item
   * with a body of full size and its properties is over grpc-js's default, and a server may be told to take larger bodies
   * (`maxMessageSize`), which must come back, too.
   */
  receivedFrameBytes: 130 * 1024 * 1024,
} as const;

/** Our consumers hold this many bytes of bodies unless told otherwise. */
export const DEFAULT_BUFFERED_BYTES = 64 * 1024 * 1024;

/** Our consumers unpack a body to this many bytes unless told otherwise: eight times what a message may carry. */
export const DEFAULT_MAX_UNPACKED_BYTES = 8 * LIMITS.bodyBytes;
