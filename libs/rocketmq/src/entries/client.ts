// The entry `nestjs-rocketmq/client`: producers and consumers in plain TypeScript, without Nest.

export type { ServerCapabilities } from '../client/capabilities.js';
export { Connection } from '../client/connection.js';
export type { ConnectionOptions, Transport } from '../client/connection-options.js';
export type { Address } from '../client/endpoint.js';
export type { CloseOptions, StartOptions } from '../client/lifecycle-options.js';
export { ResourceError } from '../client/resource-errors.js';
export type { ClientIdentity, SessionEvents, SessionHealth, SessionStatus } from '../client/session-events.js';
export type { ConsumerHealth, TopicHealth } from '../consumer/consumer-health.js';
export { HandlerTimeoutError } from '../consumer/listeners/handler-run.js';
export type { LimitPort, StoredLimit } from '../consumer/listeners/limit-state.js';
export type { PolicyInForce } from '../consumer/listeners/listener-fit.js';
export type { MessageListener } from '../consumer/listeners/message-listener.js';
export type { RateLimit } from '../consumer/listeners/rate-limiter.js';
export type { ConsumeInterceptor } from '../consumer/model/consume-interceptor.js';
export type { ConsumerEvents } from '../consumer/model/consumer-events.js';
export type { ConsumerTelemetrySource } from '../consumer/model/consumer-telemetry.js';
export type {
  DeadLetter,
  DeadLetterReason,
  ErrorTest,
  FailurePolicy,
  FailureSettlement,
  Settlement,
} from '../consumer/model/failure-policy.js';
export type {
  BatchContext,
  BatchHandler,
  BatchListening,
  HandlerContext,
  MessageHandler,
} from '../consumer/model/handler.js';
export { type MessageRetries, retryProperties } from '../consumer/model/message-retries.js';
export { DeadLetterError, RetryLaterError, type RetryLaterOptions } from '../consumer/model/outcome-errors.js';
export type { Subscription } from '../consumer/model/subscription.js';
export { PushConsumer } from '../consumer/push-consumer.js';
export type { PushConsumerOptions } from '../consumer/push-consumer-options.js';
export type { AckOutcome } from '../consumer/simple/ack-batch.js';
export { SimpleConsumer } from '../consumer/simple/simple-consumer.js';
export type { ReceiveOptions, SimpleConsumerOptions } from '../consumer/simple/simple-consumer-options.js';
export type { ReceivedMessage } from '../consumer/simple/simple-receives.js';
export { Producer } from '../producer/producer.js';
export type { ProducerEvents } from '../producer/producer-events.js';
export type { ProducerOptions } from '../producer/producer-options.js';
export type { ProducerTelemetrySource } from '../producer/producer-telemetry.js';
export type { BackpressureOptions } from '../producer/sending/backpressure.js';
export type { BatchingOptions, SeenBrokers } from '../producer/sending/batching.js';
export type { CompressionOptions } from '../producer/sending/compression.js';
export { delayLevelMs } from '../producer/sending/delay-levels.js';
export type { Durability, LessDurableMessage } from '../producer/sending/durability.js';
export type { InterceptedSend, SendInterceptor } from '../producer/sending/interceptors.js';
export { NotSentError } from '../producer/sending/not-sent-error.js';
export type { QueueSelector } from '../producer/sending/queue-choice.js';
export type { RecallTarget } from '../producer/sending/recall.js';
export type { BatchOptions, BatchOutcome } from '../producer/sending/send-batch.js';
export type { SendReceipt } from '../producer/sending/send-request.js';
export type {
  EndResult,
  EndSource,
  Resolution,
  Transaction,
  TransactionEvents,
  TransactionIdentity,
} from '../producer/transactions/transaction.js';
export type { TransactionCheckHandler, TransactionCheckRequest } from '../producer/transactions/transaction-check.js';
export { currentLocalTransaction, type LocalTransaction } from '../producer/transactions/transaction-scope.js';
export type { CredentialsProvider, ProvidedCredentials } from '../protocol/credentials/credentials.js';
export type { Credentials } from '../protocol/credentials/metadata.js';
export type { HeldUpQueue } from '../protocol/grpc/session-message.js';
export { StatusError } from '../protocol/grpc/status.js';
export { EVERY_MESSAGE, type Filter } from '../protocol/model/filter.js';
export { forwarded } from '../protocol/model/forwarded-message.js';
export type { MessageType, MessageView, OutgoingMessage } from '../protocol/model/message.js';
export { deadLetterTopicOf } from '../protocol/model/names.js';
export type { BackoffPolicy } from '../support/backoff.js';
export { type Clock, HOUR_MS, MINUTE_MS, type ScheduledTask, SECOND_MS } from '../support/clock.js';
export type { CallOptions } from '../support/deadline.js';
export { type Outcome, RocketMQError, StateError, TransportError, UsageError } from '../support/errors.js';
export type { Logger } from '../support/logger.js';
export type { Pem, PemSource, TlsOptions } from '../support/tls.js';
