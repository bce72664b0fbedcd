// Keeps the lag of the application's consumer groups in a topic of RocketMQ: of each group one sample in each interval, whatever the number of
// instances. They need not know of each other: one that finds a record which it has not seen before leaves this interval to the other.

import { PeriodicWork } from '../../client/periodic-work.js';
import {
  hourOf,
  LAG_TAG,
  type LagRecord,
  type LagSample,
  lagKey,
  MAX_LAG_TOPICS,
  parseLagRecord,
} from '../../protocol/model/lag-record.js';
import type { OutgoingMessage } from '../../protocol/model/message.js';
import { inFreshAsyncContext } from '../../support/async-context.js';
import type { Clock } from '../../support/clock.js';
import type { CallOptions } from '../../support/deadline.js';
import { describeError, type Logger } from '../../support/logger.js';
import type { Random } from '../../support/random.js';
import type { Admin } from '../cluster/admin-access.js';

/** @internal what the log works with */
interface LagLogPort {
  /** Its name on the cluster. */
  readonly topic: string;
  readonly everyMs: number;
  readonly clock: Clock;
  readonly random: Pick<Random, 'next'>;
  readonly logger: Logger;
  /** Names this instance of the application. */
  readonly instance: string;
  readonly admin: Pick<Admin, 'findMessages' | 'groupLag'>;
  /** Those with running consumers, by their names on the cluster. */
  groups(): readonly string[];
  send(message: OutgoingMessage, options: CallOptions): Promise<{ readonly messageId: string }>;
}

type StoredRecord = Awaited<ReturnType<Admin['findMessages']>>['messages'][number];
type GroupLag = Awaited<ReturnType<Admin['groupLag']>>;

const WORK = 'keeping of the lag';
/** Of each broker. Its index goes by hash codes, so that a part may belong to other keys. */
const LOOKED_UP = 4;

export class LagLog {
  private readonly work: PeriodicWork;
  private readonly stopping = new AbortController();
  /** By group, the id of the last record that this instance has found or written. */
  private readonly seen = new Map<string, string>();
  private turn = 0;
  /** In the round before, or in this one. */
  private hasFailed = false;

  constructor(private readonly port: LagLogPort) {
    this.work = new PeriodicWork(port.clock, port.logger);
  }

  /** Instances that start together must not write together, so the first sample is due at any time of the interval. */
  start(): void {
    const { everyMs, random } = this.port;
    const round = (): Promise<void> => inFreshAsyncContext(() => this.round());
    this.work.every(WORK, Math.floor(everyMs * random.next()), async () => {
      await round();
      this.work.every(WORK, everyMs, round);
      return 'done';
    });
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    this.stopping.abort(new Error('the application shuts down'));
    await this.work.stop();
  }

  /** One group after the other: this costs the brokers little at a time. Those for which the interval is too short are the first of the next. */
  private async round(): Promise<void> {
    const { clock, everyMs } = this.port;
    const untrack = clock.track(WORK);
    const endsAtMs = clock.monotonicMs() + everyMs;
    const groups = this.port.groups();
    let failed = false;
    for (let count = 0; count < groups.length && clock.monotonicMs() < endsAtMs; count++) {
      const group = groups[this.turn++ % groups.length];
      if (group === undefined || this.stopping.signal.aborted) break;
      await this.keep(group).catch((error) => {
        this.couldNotKeep(group, error);
        failed = true;
      });
    }
    this.hasFailed = failed;
    untrack();
  }

  private async keep(consumerGroup: string): Promise<void> {
    const { topic, admin, instance, clock } = this.port;
    const options = { signal: this.stopping.signal };
    const { messages } = await admin.findMessages({ topic, key: lagKey(consumerGroup), limit: LOOKED_UP }, options);
    const last = messages.at(-1);
    const isOfAnother = last !== undefined && last.messageId !== this.seen.get(consumerGroup);
    if (isOfAnother) this.seen.set(consumerGroup, last.messageId);
    if (isOfAnother) return;
    const lag = await admin.groupLag(consumerGroup, options);
    const [away] = lag.failures;
    // A part would look like a fall.
    if (away !== undefined) throw away.error;
    if (lag.topics.length === 0) return;
    const sample = sampleOf(lag, clock.nowMs());
    const peak = peakBefore(messages, { ...sample, consumerGroup });
    const record: LagRecord = { ...sample, consumerGroup, ...(peak && { peak }), instance };
    const message = { topic, tag: LAG_TAG, keys: [lagKey(consumerGroup)], body: JSON.stringify(record) };
    const { messageId } = await this.port.send(message, options);
    this.seen.set(consumerGroup, messageId);
  }

  private couldNotKeep(consumerGroup: string, error: unknown): void {
    if (this.stopping.signal.aborted) return;
    const { logger, topic } = this.port;
    const text = 'the lag of a consumer group could not be kept; the next sample is tried when it is due';
    const fields = { consumerGroup, operationsTopic: topic, error: describeError(error) };
    logger[this.hasFailed ? 'debug' : 'warn'](text, fields);
    this.hasFailed = true;
  }
}

function sampleOf({ lag, topics }: GroupLag, atMs: number): LagSample {
  const samples = topics.map(({ topic, lag: own, queues }) => {
    const storedMs = queues.flatMap((queue) => (queue.lag > 0 ? (queue.lastTimestampMs ?? []) : []));
    const behindMs = storedMs.length === 0 ? undefined : Math.max(0, atMs - Math.min(...storedMs));
    return { topic, lag: own, behindMs };
  });
  return { atMs, lag, topics: samples.sort((left, right) => right.lag - left.lag).slice(0, MAX_LAG_TOPICS) };
}

/** The largest earlier sample of the same hour; undefined when none is larger. */
function peakBefore(
  stored: readonly StoredRecord[],
  { atMs, lag, consumerGroup }: LagSample & Pick<LagRecord, 'consumerGroup'>,
): LagSample | undefined {
  let peak: LagSample | undefined;
  for (const { body, isPacked } of stored) {
    const record = isPacked ? undefined : parseLagRecord(body);
    if (record?.consumerGroup !== consumerGroup) continue;
    const { atMs: ownMs, lag: ownLag, topics } = record.peak ?? record;
    if (hourOf(ownMs) === hourOf(atMs) && ownLag > (peak?.lag ?? lag)) peak = { atMs: ownMs, lag: ownLag, topics };
  }
  return peak;
}
