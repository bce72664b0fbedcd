// Reads the lag of a consumer group over days, which applications keep in a topic (the module option `operations`).

import { hourOf, type LagSample, lagKey, parseLagRecord } from '../../protocol/model/lag-record.js';
import { consumerGroupNameProblem, topicNameProblem } from '../../protocol/model/names.js';
import type { ClusterAccess } from '../../remoting/cluster-access.js';
import { DAY_MS, HOUR_MS, SystemClock } from '../../support/clock.js';
import { mapConcurrently } from '../../support/concurrently.js';
import type { CallOptions } from '../../support/deadline.js';
import { UsageError } from '../../support/errors.js';
import { checkedElsewhere, type OwnChecks } from '../../support/options.js';
import { checkName, checkTime } from '../checks.js';
import { AskedBrokers, type BrokerFailure } from '../each-broker.js';
import { assertKnown, queuesOf } from '../topics/topic-offsets.js';
import { CONCURRENT_LOOKUPS, lookUpOn } from './message-lookup.js';

export interface LagHistoryOptions extends CallOptions {
  /** From the hour of this time on. At most 31 days before `to`. Default: 7 days before it. */
  readonly from?: Date;
  /** To the hour of this time. Default: now. */
  readonly to?: Date;
}

export interface LagHistory {
  readonly consumerGroup: string;
  /** By time: the sample with the largest lag of each hour (UTC) in which one was kept. */
  readonly hours: readonly LagSample[];
  /** The last sample that was kept; undefined without any. */
  readonly latest: LagSample | undefined;
  /** What was stored before this time, in milliseconds since the epoch, was not read, because `timeoutMs` was nearly over; undefined when all was. */
  readonly unreadBeforeMs: number | undefined;
  /** Brokers that did not answer; the result lacks what they have. Empty when all answered. */
  readonly failures: readonly BrokerFailure[];
}

const DEFAULT_RANGE_MS = 7 * DAY_MS;
const MAX_RANGE_MS = 31 * DAY_MS;
/** Of each hour and broker, the newest: the last one would do if all clocks were the same. */
const READ_OF_HOUR = 8;
/** Of the time for all: what was read is not lost to an hour that would not be read in time. */
const RESERVED_SHARE = 0.3;

const CHECKS: OwnChecks<LagHistoryOptions> = { from: checkedElsewhere, to: checkedElsewhere };

/** The records of an hour are found in the index of the brokers, so the cost does not depend on what else is in the topic. */
export async function lagHistory(
  cluster: ClusterAccess,
  topic: string,
  consumerGroup: string,
  options: LagHistoryOptions = {},
): Promise<LagHistory> {
  checkName('topic', topic, topicNameProblem(topic));
  checkName('consumer group', consumerGroup, consumerGroupNameProblem(consumerGroup));
  const what = `the lag of consumer group ${consumerGroup} in topic ${topic}`;
  return cluster.run(
    what,
    options,
    async (deadline) => {
      const hoursToRead = hoursOf(options);
      const queues = await queuesOf(cluster, topic, deadline);
      assertKnown(topic, queues);
      const { answered } = queues;
      const asked = new AskedBrokers(deadline, answered.length > 1);
      const isLate = (): boolean => deadline.remainingMs() < deadline.timeoutMs * RESERVED_SHARE;
      const read = await mapConcurrently(hoursToRead, CONCURRENT_LOOKUPS, async (hourMs) => {
        if (isLate()) return { unreadBeforeMs: hourMs + HOUR_MS, records: [] };
        const range = { from: new Date(hourMs), to: new Date(hourMs + HOUR_MS - 1) };
        const query = { topic, key: lagKey(consumerGroup), ...range };
        const ofBrokers = answered.map((broker) =>
          asked.ask(broker, (own) => lookUpOn(cluster, broker, query, READ_OF_HOUR, own)),
        );
        const found = (await Promise.all(ofBrokers)).flatMap((one) => one?.views ?? []);
        const records = found.flatMap(({ body, isPacked }) => (isPacked ? [] : (parseLagRecord(body) ?? [])));
        return { unreadBeforeMs: undefined, records };
      });
      const [first] = asked.failures;
      if (first !== undefined && answered.every((broker) => asked.hasFailed(broker))) throw first.error;
      const unread = read.flatMap(({ unreadBeforeMs }) => unreadBeforeMs ?? []);
      const records = read.flatMap(({ records: own }) => own).filter((one) => one.consumerGroup === consumerGroup);
      // A clock may be wrong by days.
      const isMeant = ({ atMs }: LagSample): boolean => hoursToRead.includes(hourOf(atMs));
      const samples = records.map(({ atMs, lag, topics }) => ({ atMs, lag, topics })).filter(isMeant);
      const peaks = records.flatMap(({ peak }) => peak ?? []).filter(isMeant);
      return {
        consumerGroup,
        hours: peaksByHour([...samples, ...peaks]),
        latest: latestOf(samples),
        unreadBeforeMs: unread.length === 0 ? undefined : Math.max(...unread),
        failures: [...queues.failures, ...asked.failures],
      };
    },
    CHECKS,
  );
}

/** The hours, the newest first, by when they begin. @throws UsageError */
function hoursOf({ from, to }: LagHistoryOptions): number[] {
  checkTime('from', from);
  checkTime('to', to);
  const toMs = to?.getTime() ?? new SystemClock().nowMs();
  const fromMs = from?.getTime() ?? toMs - DEFAULT_RANGE_MS;
  if (fromMs > toMs || toMs - fromMs > MAX_RANGE_MS) {
    throw new UsageError('ILLEGAL_TIME', 'from must be before to, and at most 31 days before it', 'from');
  }
  const [first, last] = [hourOf(fromMs), hourOf(toMs)];
  return Array.from({ length: (last - first) / HOUR_MS + 1 }, (_, index) => last - index * HOUR_MS);
}

function peaksByHour(samples: readonly LagSample[]): LagSample[] {
  const peaks = new Map<number, LagSample>();
  for (const sample of samples) {
    const hour = hourOf(sample.atMs);
    const known = peaks.get(hour);
    if (known === undefined || sample.lag > known.lag) peaks.set(hour, sample);
  }
  return [...peaks.values()].sort((left, right) => left.atMs - right.atMs);
}

function latestOf(samples: readonly LagSample[]): LagSample | undefined {
  return samples.reduce<LagSample | undefined>(
    (latest, one) => (latest === undefined || one.atMs > latest.atMs ? one : latest),
    undefined,
  );
}
