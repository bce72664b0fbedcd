// The numbers that pages state between `<!-- fact: NAME -->` and `<!-- /fact -->`, from the code: defaults of options, and what follows from them.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEFAULT_SETTINGS } from '../../libs/rocketmq/src/consumer/model/settings.js';
import { DEFAULT_BACKOFF, DELAY_LEVELS_MS } from '../../libs/rocketmq/src/protocol/model/delay-levels.js';
import { LIMITS } from '../../libs/rocketmq/src/protocol/model/limits.js';
import { retrySpanMs } from '../../libs/rocketmq/src/sql/retry-span.js';
import { backoffMs } from '../../libs/rocketmq/src/support/backoff.js';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../libs/rocketmq/src/support/clock.js';
import { root } from '../../tools/documents.js';

/** A marked number: its opening, its name, the number. */
export const FACTS = /(<!-- fact: (\S+) -->)(.*?)(?=<!-- \/fact -->)/g;

/** Where the default of an option is in the sources of the library: what stands before it. */
const DEFAULTS: Readonly<Record<string, readonly [file: string, before: string]>> = {
  'ConnectionOptions.requestTimeoutMs': ['client/connection.ts', 'const DEFAULT_REQUEST_TIMEOUT_MS = '],
  'RocketMQModuleOptions.startTimeoutMs': ['nest/runtime/module-options.ts', 'options.startTimeoutMs ?? '],
  'ProducerOptions.maxAttempts': ['producer/producer.ts', '{ maxAttempts = '],
  'ProducerOptions.maxDelayMs': ['producer/producer.ts', ' maxDelayMs = '],
  'ProducerOptions.maxInFlight': ['producer/sending/backpressure.ts', 'const DEFAULT_MAX_IN_FLIGHT = '],
  'ProducerOptions.maxInFlightBytes': ['producer/sending/backpressure.ts', 'const DEFAULT_MAX_IN_FLIGHT_BYTES = '],
  'ProducerOptions.localTransactionTimeoutMs': [
    'producer/transactions/transaction-bounds.ts',
    'const DEFAULT_TIMEOUT_MS = ',
  ],
  'ProducerOptions.checkTimeoutMs': [
    'producer/transactions/transaction-bounds.ts',
    'const DEFAULT_CHECK_TIMEOUT_MS = ',
  ],
  'BatchOptions.concurrency': ['producer/sending/send-batch.ts', 'const DEFAULT_CONCURRENCY = '],
  'CloseOptions.shutdownGraceMs': ['consumer/push-consumer.ts', 'const DEFAULT_GRACE_MS = '],
  'PushConsumerOptions.concurrency': ['consumer/push-consumer-options.ts', 'const DEFAULT_CONCURRENCY = '],
  'PushConsumerOptions.maxBufferedMessages': [
    'consumer/push-consumer-options.ts',
    'const DEFAULT_BUFFERED_MESSAGES = ',
  ],
  'PushConsumerOptions.maxBufferedBytes': ['protocol/model/limits.ts', 'const DEFAULT_BUFFERED_BYTES = '],
  'PushConsumerOptions.invisibleDurationMs': ['consumer/push-consumer-options.ts', 'const DEFAULT_LEASE_MS = '],
  'PushConsumerOptions.ackBatchSize': ['consumer/lease/ack-batcher.ts', 'const DEFAULT_ACK_BATCH_SIZE = '],
  'RocketMQRequestOptions.timeoutMs': ['nest/runtime/rocketmq-runtime.ts', 'const DEFAULT_REPLY_MS = '],
  'TransactionLogOptions.retentionMs': ['sql/log/transaction-log-options.ts', 'const DEFAULT_RETENTION_MS = '],
  'TransactionLogOptions.transactionCheckMax': ['sql/log/transaction-log-options.ts', 'const DEFAULT_CHECK_MAX = '],
  'TransactionLogOptions.transactionCheckIntervalMs': [
    'sql/log/transaction-log-options.ts',
    'const DEFAULT_CHECK_INTERVAL_MS = ',
  ],
  'InboxOptions.retentionMs': ['sql/inbox.ts', 'const DEFAULT_RETENTION_MS = '],
  'OutboxOptions.retentionMs': ['sql/outbox/outbox.ts', 'const DEFAULT_RETENTION_MS = '],
  'OutboxRelayOptions.leaseMs': ['sql/outbox/outbox-relay-options.ts', 'options.leaseMs ?? '],
  'OutboxRelayOptions.maxAttempts': ['sql/outbox/outbox-relay-options.ts', 'options.maxAttempts ?? '],
  'OutboxRelayOptions.pollIntervalMs': ['sql/outbox/outbox-relay-options.ts', 'options.pollIntervalMs ?? '],
  'RocketMQAdminOptions.timeoutMs': ['admin/rocketmq-admin.ts', 'const DEFAULT_TIMEOUT_MS = '],
  'EmbeddedBrokerOptions.maxMemoryBytes': ['broker/embedded-broker-options.ts', 'const MEMORY_BYTES = '],
  'EmbeddedBrokerOptions.retentionMs': ['broker/embedded-broker-options.ts', 'const RETENTION_MS = '],
};

const NAMED: Readonly<Record<string, number>> = {
  SECOND_MS,
  MINUTE_MS,
  HOUR_MS,
  DAY_MS,
  '1024 ** 3': 1024 ** 3,
  'LIMITS.delayMs': LIMITS.delayMs,
};

/** The default of each option in the table above, as the code has it: milliseconds, bytes or a count. */
export function defaults(): Map<string, number> {
  return new Map(Object.entries(DEFAULTS).map(([option, place]) => [option, numberAt(...place)]));
}

function numberAt(file: string, before: string): number {
  const text = readFileSync(join(root, 'libs/rocketmq/src', file), 'utf8');
  const start = text.indexOf(before);
  const product = /^[^,;)\n]+/.exec(text.slice(start + before.length))?.[0] ?? '';
  const value = product.split(' * ').reduce((sum, part) => sum * (NAMED[part] ?? Number(part.replaceAll('_', ''))), 1);
  if (start < 0 || !Number.isFinite(value)) throw new Error(`${file} has no number behind "${before}"`);
  return value;
}

/** All facts, by their names: those of options as `Type.option`. */
export function facts(): Map<string, string> {
  const numbers = defaults();
  const of = (option: string): number => numbers.get(option) ?? Number.NaN;
  const { maxAttempts } = DEFAULT_SETTINGS;
  const delays = Array.from({ length: maxAttempts - 1 }, (_, index) => backoffMs(DEFAULT_BACKOFF, index + 1));
  // Consumers that pull begin at a later level.
  const level = numberAt('gateway/pull/pulled-group.ts', 'const FIRST_LEVEL = ');
  const pulled = DELAY_LEVELS_MS.slice(level, level + delays.length);
  const checks = of('TransactionLogOptions.transactionCheckMax');
  return new Map([
    ...[...numbers].map(([option, value]) => [option, quantityOf(option, value)] as const),
    ['attempts', String(maxAttempts)],
    ['retries', String(delays.length)],
    ['first-retry', durationOf(delays[0] ?? 0)],
    ['last-retry', durationOf(delays.at(-1) ?? 0)],
    ['dead-letter-after', durationOf(sumOf(delays))],
    ['first-retry-4x', durationOf(pulled[0] ?? 0)],
    ['last-retry-4x', durationOf(pulled.at(-1) ?? 0)],
    ['dead-letter-after-4x', durationOf(sumOf(pulled))],
    ['longest-redelivery', durationOf(retrySpanMs())],
    ['send-timeout', durationOf(of('ConnectionOptions.requestTimeoutMs') * of('ProducerOptions.maxAttempts'))],
    ['renewed-after', durationOf(of('PushConsumerOptions.invisibleDurationMs') / 2)],
    ['given-up-after', durationOf(checks * of('TransactionLogOptions.transactionCheckIntervalMs'))],
    ['shortest-lease', durationOf(LIMITS.invisibleDurationMinMs)],
    ['longest-lease', durationOf(LIMITS.invisibleDurationMaxMs)],
    ['largest-body', bytesOf(LIMITS.bodyBytes)],
    ['largest-properties', bytesOf(LIMITS.propertiesBytes)],
    ['most-properties', String(LIMITS.properties)],
  ]);
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}

function quantityOf(option: string, value: number): string {
  if (option.endsWith('Ms')) return durationOf(value);
  return option.endsWith('Bytes') ? bytesOf(value) : String(value);
}

const UNITS = [
  ['d', DAY_MS],
  ['h', HOUR_MS],
  ['min', MINUTE_MS],
  ['s', SECOND_MS],
] as const;

/** At most two units: the second is rounded. Up to three days are hours. */
function durationOf(ms: number): string {
  const from = ms > 3 * DAY_MS ? 0 : 1;
  const first = UNITS.findIndex(([, unitMs], index) => index >= from && ms >= unitMs);
  const [name, unitMs] = UNITS[first] ?? ['ms', 1];
  const [nextName, nextMs] = UNITS[first + 1] ?? ['', unitMs];
  const rounded = Math.round(ms / nextMs) * nextMs;
  const rest = (rounded % unitMs) / nextMs;
  return `${Math.floor(rounded / unitMs)} ${name}${rest === 0 ? '' : ` ${rest} ${nextName}`}`;
}

function bytesOf(bytes: number): string {
  const unit = ['bytes', 'KiB', 'MiB', 'GiB'];
  const power = Math.floor(Math.log2(bytes) / 10);
  return `${bytes / 1024 ** power} ${unit[power]}`;
}

/** A page with its numbers filled in. */
export function withFacts(text: string, known: ReadonlyMap<string, string>): string {
  return text.replace(FACTS, (_, opening: string, name: string) => {
    const fact = known.get(name);
    if (fact === undefined) throw new Error(`there is no fact ${name}`);
    return `${opening}${fact}`;
  });
}
