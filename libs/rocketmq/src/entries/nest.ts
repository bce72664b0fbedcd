// The entry `nestjs-rocketmq`: RocketMQ for NestJS. Producers and consumers without Nest are in `nestjs-rocketmq/client`.

// Types of parameters and results have a brand where other packages have the name, too: an editor must not import `Logger` by mistake.
export type { ControlClient } from '../broker/control/control-client.js';
export type { Connection as RocketMQConnection } from '../client/connection.js';
export type { Address as RocketMQAddress } from '../client/endpoint.js';
export { ResourceError } from '../client/resource-errors.js';
export type { ClientIdentity, SessionEvents, SessionHealth, SessionStatus } from '../client/session-events.js';
export type { ConsumerHealth, TopicHealth } from '../consumer/consumer-health.js';
export { HandlerTimeoutError } from '../consumer/listeners/handler-run.js';
export type { LimitPort, StoredLimit } from '../consumer/listeners/limit-state.js';
export type { RateLimit } from '../consumer/listeners/rate-limiter.js';
export type { ConsumeInterceptor } from '../consumer/model/consume-interceptor.js';
export type { ConsumerEvents } from '../consumer/model/consumer-events.js';
export type {
  DeadLetter,
  DeadLetterReason,
  ErrorTest,
  FailureSettlement,
} from '../consumer/model/failure-policy.js';
export type { BatchListening, HandlerContext } from '../consumer/model/handler.js';
export { type MessageRetries, retryProperties } from '../consumer/model/message-retries.js';
export { DeadLetterError, RetryLaterError, type RetryLaterOptions } from '../consumer/model/outcome-errors.js';
export type { RocketMQAsyncApiDocument } from '../nest/asyncapi/document.js';
export {
  RocketMQAsyncApi,
  type RocketMQAsyncApiOptions,
  type RocketMQAsyncApiSetupOptions,
} from '../nest/asyncapi/rocketmq-async-api.js';
export type { GroupSettings } from '../nest/cluster/declarations.js';
export { ProvisionError } from '../nest/cluster/provisioning.js';
export { ROCKETMQ_TRANSPORT, rocketMQTransport } from '../nest/common/pattern.js';
export type { RocketMQTelemetry } from '../nest/common/telemetry.js';
export { type HandlerAttempt, type RocketMQEvent, RocketMQEvents } from '../nest/events/rocketmq-events.js';
export { type ListenerState, type ListenerStatus, RocketMQListeners } from '../nest/events/rocketmq-listeners.js';
export type { GivenUpTransaction } from '../nest/health/given-up-watch.js';
export {
  type ConnectionPhase,
  type ConsumerReport,
  type HealthLimits,
  type HealthReport,
  RocketMQHealth,
} from '../nest/health/rocketmq-health.js';
export { DEAD_LETTER_PROPERTIES } from '../nest/listening/dead-letter-topic.js';
export type {
  ListenerBackoff,
  ListenerOverrides,
  ListenerSettings,
  RocketMQListenerOptions,
  StartFrom,
} from '../nest/listening/listener-settings.js';
export { RocketMQBatchContext } from '../nest/listening/rocketmq-batch-context.js';
export { RocketMQContext } from '../nest/listening/rocketmq-context.js';
export { type ListenerDecorator, RocketMQListener } from '../nest/listening/rocketmq-listener.decorator.js';
export {
  type BodyCodec,
  bytesCodec,
  type ExactJsonOptions,
  exactJsonCodec,
  jsonCodec,
  textCodec,
  UndecodableBody,
} from '../nest/messages/body-codecs.js';
export type { BodyClass, PlainOf } from '../nest/messages/body-schema.js';
export { BODY_VERSION_PROPERTY, type BodyUpgrades } from '../nest/messages/body-version.js';
export { type InvalidBodyDecision, InvalidBodyError, type OnInvalid } from '../nest/messages/invalid-body.js';
export type { IncomingHookContext, MessageHook, OutgoingHookContext } from '../nest/messages/message-hooks.js';
export type { FieldArguments, FieldsOf, MessageFields, PlainMessage, TopicMessage } from '../nest/messages/outgoing.js';
export {
  defineRequest,
  type RequestDefinition,
  type RequestDefinitionOptions,
} from '../nest/messages/request-definition.js';
export {
  type BodyOf,
  deadLettersOf,
  defineTopic,
  type InputFor,
  type InputOf,
  type NotInferred,
  type TopicDefinition,
  type TopicDefinitionOptions,
  type TopicLike,
} from '../nest/messages/topic-definition.js';
export {
  getRocketMQAdminToken,
  getRocketMQClientToken,
  getRocketMQEventsToken,
  getRocketMQHealthToken,
  getRocketMQListenersToken,
  getRocketMQProducerToken,
  getRocketMQRequesterToken,
  getRocketMQServerToken,
  InjectRocketMQAdmin,
  InjectRocketMQClient,
  InjectRocketMQProducer,
} from '../nest/module/injection.decorators.js';
export { RocketMQModule } from '../nest/module/rocketmq.module.js';
export { RocketMQClient } from '../nest/module/rocketmq-client.js';
export type { ServerRocketMQStatus } from '../nest/runtime/pattern-runtime.js';
export type {
  InboxPort,
  OperationsOptions,
  RocketMQModuleAsyncOptions,
  RocketMQModuleOptions,
  RocketMQModuleScope,
  RocketMQOptionsFactory,
  RocketMQProducerOptions,
  TransactionLogPort,
} from '../nest/runtime/rocketmq.interfaces.js';
export { outboxMessage } from '../nest/sending/outbox-message.js';
export type { RocketMQRequestOptions } from '../nest/sending/reply-channel.js';
export { isErrorOf, REPLY_TOPIC_MARK, REQUEST_PROPERTIES, RemoteHandlerError } from '../nest/sending/reply-message.js';
export { type RequestCallOptions, RocketMQRequester } from '../nest/sending/requester.js';
export {
  RocketMQProducer,
  type SendOptions,
  type TopicSender,
  type TransactionalTopicMessage,
} from '../nest/sending/rocketmq-producer.js';
export {
  type CurrentTransaction,
  currentTransaction,
  type TransactionalMessage,
} from '../nest/transactions/current-transaction.js';
export {
  type TransactionAnswer,
  type TransactionCheck,
  TransactionChecker,
  type TransactionCheckerOptions,
} from '../nest/transactions/transaction-checker.decorator.js';
export { TransactionalSend, type TransactionalSendOptions } from '../nest/transactions/transactional-send.decorator.js';
export type { ClientRocketMQOptions, OwnClientOptions, SharedClientOptions } from '../nest/transport/client-options.js';
export { ClientRocketMQ, type ClientRocketMQStatus } from '../nest/transport/client-rocketmq.js';
export type { ServerRocketMQOptions } from '../nest/transport/own-server.js';
export type { PatternExtras } from '../nest/transport/pattern-handlers.js';
export { RocketMQRecord, RocketMQRecordBuilder } from '../nest/transport/rocketmq-record.js';
export { type ReplyExtras, RocketMQReply } from '../nest/transport/rocketmq-reply.decorator.js';
export { ServerRocketMQ } from '../nest/transport/server-rocketmq.js';
export type { ProducerEvents } from '../producer/producer-events.js';
export type { BackpressureOptions } from '../producer/sending/backpressure.js';
export type { CompressionOptions } from '../producer/sending/compression.js';
export { delayLevelMs } from '../producer/sending/delay-levels.js';
export type { Durability, LessDurableMessage } from '../producer/sending/durability.js';
export type { InterceptedSend, SendInterceptor } from '../producer/sending/interceptors.js';
export { NotSentError } from '../producer/sending/not-sent-error.js';
export type { QueueSelector } from '../producer/sending/queue-choice.js';
export type { BatchOptions, BatchOutcome } from '../producer/sending/send-batch.js';
export type { SendReceipt } from '../producer/sending/send-request.js';
export type {
  EndResult,
  EndSource,
  Resolution,
  TransactionEvents,
  TransactionIdentity,
} from '../producer/transactions/transaction.js';
export type { CredentialsProvider, ProvidedCredentials } from '../protocol/credentials/credentials.js';
export type { Credentials } from '../protocol/credentials/metadata.js';
export type { HeldUpQueue } from '../protocol/grpc/session-message.js';
export { StatusError } from '../protocol/grpc/status.js';
export type { MessageType, MessageView, OutgoingMessage, TopicType } from '../protocol/model/message.js';
export type { OutboxMessage } from '../sql/outbox-message.js';
export type { BackoffPolicy } from '../support/backoff.js';
export { type Clock as RocketMQClock, HOUR_MS, MINUTE_MS, SECOND_MS } from '../support/clock.js';
export type { CallOptions as RocketMQCallOptions } from '../support/deadline.js';
export {
  type Outcome as RocketMQOutcome,
  RocketMQError,
  StateError,
  TransportError,
  UsageError,
} from '../support/errors.js';
export type { Logger as RocketMQLogger } from '../support/logger.js';
export type { PemSource as RocketMQPem, TlsOptions } from '../support/tls.js';
